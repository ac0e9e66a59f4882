/*
** test.h: what every C test of the core includes, in the order that cmocka
** wants.
*/
#ifndef TEST_H
#define TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
