/*
** layout.h: where everything stands that a compiled module relies on.
**
** Included after some version of tidepool.h. Lua: layout() -> name -> number,
** for offsets and sizes of the structs of that header, and for its codes.
*/
#ifndef LAYOUT_H
#define LAYOUT_H

#include <lua.h>
#include <stddef.h>

#define SIZE(type) \
  { #type, sizeof(type) }
#define AT(type, member) \
  { #type "." #member, offsetof(type, member) }
#define IN_API(member) AT(struct tp_Api, member)
#define CODE(name) \
  { #name, name }

static const struct {
  const char *name;
  size_t number;
} layout[] = {
    SIZE(tp_Value),
    AT(tp_Value, tag),
    AT(tp_Value, as),
    SIZE(struct tp_Table),
    AT(struct tp_Table, array),
    AT(struct tp_Table, map),
    AT(struct tp_Table, length),
    AT(struct tp_Table, pairs),
    SIZE(tp_Context),
    AT(tp_Context, api),
    AT(tp_Context, args),
    AT(tp_Context, nargs),
    SIZE(tp_Function),
    AT(tp_Function, name),
    AT(tp_Function, run),
    AT(tp_Function, signature),
    SIZE(tp_CallOptions),
    AT(tp_CallOptions, timeout),
    AT(tp_CallOptions, priority),
    AT(tp_CallOptions, nowait),
    AT(tp_CallOptions, callback),
    AT(tp_CallOptions, userdata),
    SIZE(tp_Failure),
    AT(tp_Failure, kind),
    AT(tp_Failure, message),
    AT(tp_Failure, length),
    IN_API(version),
    IN_API(size),
    IN_API(do_register),
    IN_API(lua_promise),
    IN_API(lua_pushfuture),
    IN_API(lua_checkfuture),
    IN_API(lua_checkmanager),
    IN_API(pushvalue),
    IN_API(pushcopy),
    IN_API(pushscalar),
    IN_API(pushbytes),
    IN_API(pushbuffer),
    IN_API(pushfuture),
    IN_API(opentable),
    IN_API(key),
    IN_API(closetable),
    IN_API(futureof),
    IN_API(managerof),
    IN_API(fail),
    IN_API(cancelled),
    IN_API(wait_cancelled),
    IN_API(progress),
    IN_API(userdata),
    IN_API(await),
    IN_API(id),
    IN_API(name),
    IN_API(manager),
    IN_API(values),
    IN_API(discard),
    IN_API(submit),
    IN_API(manager_retain),
    IN_API(manager_release),
    IN_API(future_retain),
    IN_API(future_release),
    IN_API(future_settled),
    IN_API(future_cancel),
    IN_API(future_wait),
    IN_API(future_then),
    IN_API(resultcount),
    IN_API(result),
    IN_API(failure),
    IN_API(promise),
    IN_API(resolve),
    IN_API(reject),
    IN_API(promise_cancelled),
    IN_API(promise_progress),
    IN_API(promise_retain),
    IN_API(promise_release),
    CODE(TP_OK),
    CODE(TP_FAILED),
    CODE(TP_NOMEM),
    CODE(TP_FULL),
    CODE(TP_CLOSED),
    CODE(TP_TIMEOUT),
    CODE(TP_CANCELLED),
    CODE(TP_BROKEN),
    CODE(TP_UNKNOWN),
    CODE(TP_TAKEN),
    CODE(TP_INVALID),
    CODE(TP_TRANSFER),
    CODE(TP_TNIL),
    CODE(TP_TBOOLEAN),
    CODE(TP_TINTEGER),
    CODE(TP_TFLOAT),
    CODE(TP_TBYTES),
    CODE(TP_TTABLE),
    CODE(TP_TFUTURE),
    CODE(TP_TMANAGER),
    CODE(TP_TFUNCTION),
    CODE(TP_TOTHER),
    CODE(TP_NORMAL),
    CODE(TP_HIGH),
    CODE(TP_LOW),
};

static int l_layout (lua_State *L) {
  lua_newtable(L);
  for (size_t i = 0; i < sizeof layout / sizeof *layout; i++) {
    lua_pushinteger(L, (lua_Integer)layout[i].number);
    lua_setfield(L, -2, layout[i].name);
  }
  return 1;
}

#endif
