#include "core/convert.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Digits only, or hexadecimal ones, which wrap around. */
static int read_integer (const char *s, tp_Value *value) {
  uint64_t n = 0;
  int negative = *s == '-', digits = 0;
  s += *s == '-' || *s == '+';
  if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
    for (s += 2; isxdigit((unsigned char)*s); s++, digits++)
      n = n * 16 + (uint64_t)(isdigit((unsigned char)*s)
                                  ? *s - '0'
                                  : tolower((unsigned char)*s) - 'a' + 10);
  } else {
    for (; isdigit((unsigned char)*s); s++, digits++) {
      uint64_t d = (uint64_t)(*s - '0');
      if (n > (INT64_MAX - d + (uint64_t)negative) / 10)
        return 0; /* then it is a float */
      n = n * 10 + d;
    }
  }
  if (digits == 0 || *s != '\0')
    return 0;
  *value = tpi_integer((int64_t)(negative ? 0 - n : n));
  return 1;
}

static int read_float (const char *s, tp_Value *value) {
  char *end;
  if (strpbrk(s, "nN") != NULL) /* neither nan nor inf */
    return 0;
  value->as.number = strtod(s, &end);
  value->tag = TP_TFLOAT;
  return end != s && *end == '\0';
}

static int read_number (tp_Value *value) {
  enum { LONGEST = 200 };
  char text[LONGEST + 1];
  size_t length;
  const char *s = tp_bytesof(value, &length);
  while (length > 0 && isspace((unsigned char)*s))
    s++, length--;
  while (length > 0 && isspace((unsigned char)s[length - 1]))
    length--;
  if (length == 0 || length > LONGEST || memchr(s, '\0', length) != NULL)
    return 0;
  memcpy(text, s, length);
  text[length] = '\0';
  return read_integer(text, value) || read_float(text, value);
}

static int to_number (tp_Value *value) {
  tp_Type type = tp_typeof(value);
  return type == TP_TINTEGER || type == TP_TFLOAT ||
         (type == TP_TBYTES && read_number(value));
}

/* A float must be one exactly. */
static int to_integer (tp_Value *value) {
  double d;
  if (!to_number(value))
    return 0;
  if (tp_typeof(value) == TP_TINTEGER)
    return 1;
  d = value->as.number;
  if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0) ||
      (double)(int64_t)d != d)
    return 0;
  *value = tpi_integer((int64_t)d);
  return 1;
}

static int to_bytes (tpi_List *list, tp_Value *value) {
  char text[48];
  if (tp_typeof(value) == TP_TINTEGER) {
    snprintf(text, sizeof text, "%lld", (long long)value->as.integer);
  } else {
    snprintf(text, sizeof text, "%.14g", value->as.number);
    if (text[strspn(text, "-0123456789")] == '\0')
      strcat(text, ".0"); /* it looks like an integer */
  }
  return tpi_list_bytes(list, value, text, strlen(text)) != NULL ? TP_OK
                                                                 : TP_NOMEM;
}

int tpi_convert (tpi_List *list, tp_Value *value, tpi_ParamType type) {
  tp_Type now = tp_typeof(value);
  tp_Value copy = *value;
  int fits = 1;
  if (type == TPI_IS_BYTES && (now == TP_TINTEGER || now == TP_TFLOAT))
    return to_bytes(list, value);
  if (type == TPI_IS_INTEGER)
    fits = to_integer(&copy);
  else if (type == TPI_IS_NUMBER)
    fits = to_number(&copy);
  if (!fits)
    return TP_TRANSFER;
  *value = copy;
  return TP_OK;
}
