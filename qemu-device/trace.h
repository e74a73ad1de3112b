#include "trace/trace-hw_sci.h"
