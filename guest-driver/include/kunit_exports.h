/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a module gives its functions to the module of its tests, in a namespace
 * that nobody else imports.  Only with a kernel that has KUnit.
 *
 * Copyright (C) 2026 The sci-rsm authors
 */
#ifndef KUNIT_EXPORTS_H
#define KUNIT_EXPORTS_H

#include <linux/export.h>
#include <linux/module.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define KUNIT_EXPORT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, RSM_KUNIT)
#define KUNIT_IMPORTS()		MODULE_IMPORT_NS(RSM_KUNIT)
#else
#define KUNIT_EXPORT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, "RSM_KUNIT")
#define KUNIT_IMPORTS()		MODULE_IMPORT_NS("RSM_KUNIT")
#endif

#endif /* KUNIT_EXPORTS_H */
