#include "core/signature.h"

#include <string.h>

static const struct {
  const char *word;
  tpi_ParamType type;
} words[] = {{"any", TPI_ANY},
             {"nil", TPI_IS_NIL},
             {"boolean", TPI_IS_BOOLEAN},
             {"integer", TPI_IS_INTEGER},
             {"number", TPI_IS_NUMBER},
             {"bytes", TPI_IS_BYTES},
             {"string", TPI_IS_BYTES},
             {"table", TPI_IS_TABLE},
             {"future", TPI_IS_FUTURE},
             {"manager", TPI_IS_MANAGER}};

static const char *skip_blank (const char *s) {
  while (*s == ' ')
    s++;
  return s;
}

/* Reads a type name; NULL when there is none. */
static const char *read_type (const char *s, tpi_ParamType *type) {
  size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
    if (strlen(words[i].word) == n && memcmp(words[i].word, s, n) == 0) {
      *type = words[i].type;
      return s + n;
    }
  }
  return NULL;
}

static const char *read_param (const char *s, tpi_Signature *sig) {
  tpi_Param *p = &sig->params[sig->count];
  tpi_ParamType type;
  const char *end = read_type(s, &type);
  if (end == NULL || sig->count == TPI_MAXPARAMS || sig->open)
    return NULL;
  p->type = (unsigned char)type;
  p->optional = *end == '?' || type == TPI_ANY;
  end += *end == '?';
  end = skip_blank(end);
  if (strncmp(end, "...", 3) == 0) {
    sig->open = p->optional = 1;
    end += 3;
  }
  sig->count++;
  return skip_blank(end);
}

int tpi_signature_parse (tpi_Signature *sig, const char *text,
                         const char **where) {
  const char *s = text;
  memset(sig, 0, sizeof *sig);
  if (text == NULL)
    return TP_OK;
  sig->checked = 1;
  s = skip_blank(s);
  while (*s != '\0' && strncmp(s, "->", 2) != 0) {
    const char *end = read_param(s, sig);
    if (end == NULL || (*end != ',' && *end != '\0' && *end != '-')) {
      *where = s;
      return TP_INVALID;
    }
    s = *end == ',' ? skip_blank(end + 1) : end;
  }
  return TP_OK;
}

const tpi_Param *tpi_signature_param (const tpi_Signature *sig, unsigned i) {
  if (i < sig->count)
    return &sig->params[i];
  return sig->open ? &sig->params[sig->count - 1] : NULL;
}

const char *tpi_param_name (tpi_ParamType type) {
  if (type == TPI_IS_BYTES)
    return "string";
  if (type == TPI_IS_INTEGER)
    return "number";
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
    if (words[i].type == type)
      return words[i].word;
  }
  return "?";
}

static int fits (tpi_ParamType type, const tp_Value *v) {
  tp_Type t = tp_typeof(v);
  switch (type) {
    case TPI_ANY: return 1;
    case TPI_IS_NIL: return t == TP_TNIL;
    case TPI_IS_BOOLEAN: return t == TP_TBOOLEAN;
    case TPI_IS_INTEGER: return t == TP_TINTEGER;
    case TPI_IS_NUMBER: return t == TP_TINTEGER || t == TP_TFLOAT;
    case TPI_IS_BYTES: return t == TP_TBYTES;
    case TPI_IS_TABLE: return t == TP_TTABLE;
    case TPI_IS_FUTURE: return t == TP_TFUTURE;
    case TPI_IS_MANAGER: return t == TP_TMANAGER;
    default: return 0;
  }
}

int tpi_signature_check (const tpi_Signature *sig, const tp_Value *args,
                         unsigned count, unsigned *which) {
  static const tp_Value nil = {TP_TNIL, {0}};
  if (!sig->checked)
    return TP_OK;
  for (unsigned i = 0; i < count || i < sig->count; i++) {
    const tpi_Param *p = tpi_signature_param(sig, i);
    const tp_Value *v = i < count ? &args[i] : &nil;
    if (p == NULL) /* more than it takes: ignored, as Lua does */
      return TP_OK;
    if (p->optional && tp_typeof(v) == TP_TNIL)
      continue;
    if (!fits((tpi_ParamType)p->type, v)) {
      *which = i;
      return TP_TRANSFER;
    }
  }
  return TP_OK;
}
