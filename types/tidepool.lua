---@meta tidepool
-- Annotations for the Lua language server; classes are in the folder beside
-- this file. Nothing loads any of them. `make doc-check` compares them with
-- what the library has.

---@class tidepool.CombinatorOptions
---@field cancel? boolean cancel what is not needed any more (true)

---@class tidepool.AsCompletedOptions
---@field timeout? number seconds for the whole loop

---@class tidepool.WaitOptions
---@field when? "first"|"first_error"|"all" ("all")
---@field timeout? number seconds

---Futures and worker pools.
---@class tidepool
---@field _VERSION string
---@field api lightuserdata the table of the C API
local tidepool = {}

tidepool.AsyncManager = {}

---A new pool and its threads.
---@nodiscard
---@param options? tidepool.Options
---@return tidepool.AsyncManager
function tidepool.AsyncManager.new(options) end

---The same function as tidepool.AsyncManager.new.
---@nodiscard
---@param options? tidepool.Options
---@return tidepool.AsyncManager
function tidepool.pool(options) end

---How many processors this process may use.
---@nodiscard
---@return integer
function tidepool.cpus() end

---The pool that all Lua states share which loaded this copy of the library.
---@nodiscard
---@return tidepool.AsyncManager
function tidepool.default() end

---Calls f on the default pool; waits only while its queue is full.
---@async
---@generic T
---@param f string|fun(...: any): T or "module:field", or a registered name
---@param ... any a Future stands for its results
---@return tidepool.Future<T>
function tidepool.call(f, ...) end

---The pool in whose worker this is; nil in a program.
---@nodiscard
---@return tidepool.AsyncManager?
function tidepool.current() end

---The Lua task or coroutine that is running; nil outside of one.
---@nodiscard
---@return tidepool.Task?
function tidepool.task() end

---Calls a registered function in place; in a Lua task only.
---@param name string
---@param ... any
---@return any ...
function tidepool.invoke(name, ...) end

---The open pool of that name. With options it is made if there is none;
---without, that raises.
---@nodiscard
---@param name string
---@param options? tidepool.Options count only when it is made
---@return tidepool.AsyncManager
function tidepool.attach(name, options) end

---All registered functions, by name.
---@nodiscard
---@return tidepool.FunctionInfo[]
function tidepool.functions() end

---Resumes coroutines that can go on, and waits for news.
---@async
---@param timeout? number seconds (0)
---@return boolean news true if a future of this Lua state has settled
function tidepool.poll(timeout) end

---A descriptor that turns readable when there is something to poll for.
---@nodiscard
---@return integer descriptor
function tidepool.fd() end

---Names the tasks and coroutines of a function.
---@generic F: function
---@param name string
---@param f F
---@return F f itself
function tidepool.named(name, f) end

---Has f called for a failure that nobody read; nil restores the printed line.
---@param f? string|fun(err: tidepool.Error)
---@return fun(err: tidepool.Error)? before
function tidepool.on_unhandled(f) end

---How long leaving waits for functions that run.
---@param seconds? number
---@return number before
function tidepool.exit_grace(seconds) end

---A future, and the promise that settles it.
---@nodiscard
---@return tidepool.Future<any>
---@return tidepool.Promise
function tidepool.promise() end

---A coroutine of this Lua state; begins when that next waits.
---@generic T
---@param fn string|fun(...: any): T
---@param ... any by reference
---@return tidepool.Future<T>
function tidepool.spawn(fn, ...) end

---Waits for so long.
---@async
---@param seconds number 0 lets others have a turn
function tidepool.sleep(seconds) end

---Calls fn, as a coroutine, once the future has settled, in whatever way.
---@generic T
---@param future tidepool.Future<any>
---@param fn string|fun(...: any): T
---@param ... any
---@return tidepool.Future<T>
function tidepool.after(future, fn, ...) end

---A new, empty group.
---@nodiscard
---@return tidepool.Group
function tidepool.group() end

---Calls fn with a scope; returns when all that was begun in it has settled.
---@async
---@generic T
---@param fn string|fun(scope: tidepool.Scope, ...: any): T
---@param ... any
---@return T
---@return any ...
---@overload fun(options?: tidepool.ScopeOptions): tidepool.Scope to be closed
---@overload fun(options: tidepool.ScopeOptions, fn: function, ...: any): any
function tidepool.scope(fn, ...) end

---Calls fn and waits for all that it has spawned.
---@async
---@generic T
---@param fn string|fun(...: any): T
---@param ... any
---@return T
---@return any ...
function tidepool.run(fn, ...) end

---Awaits without passing on that the caller is cancelled.
---@async
---@generic T
---@param future tidepool.Future<T>
---@param timeout? number seconds
---@return T
---@return any ...
function tidepool.shield(future, timeout) end

---Calls fn, and cancels it when the time is over.
---@async
---@generic T
---@param seconds number
---@param fn string|fun(...: any): T
---@param ... any
---@return T
---@return any ...
function tidepool.with_timeout(seconds, fn, ...) end

---Completes when all have, with the list of their first results.
---@nodiscard
---@generic T
---@param list tidepool.Future<T>[]
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future<T[]> future
function tidepool.all(list, options) end

---Settles as the first that settles.
---@nodiscard
---@generic T
---@param list tidepool.Future<T>[] not empty
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future<T> future
function tidepool.race(list, options) end

---Completes as the first that completes.
---@nodiscard
---@generic T
---@param list tidepool.Future<T>[] not empty
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future<T> future
function tidepool.any(list, options) end

---Completes when all have settled, with how each of them ended.
---@nodiscard
---@generic T
---@param list tidepool.Future<T>[]
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future<tidepool.Outcome<T>[]> future
function tidepool.all_settled(list, options) end

---For a `for`: the index and the future of each, in the order they settle in.
---@async
---@nodiscard
---@generic T
---@param list tidepool.Future<T>[]
---@param options? tidepool.AsCompletedOptions
---@return fun(): integer?, tidepool.Future<T>?
function tidepool.as_completed(list, options) end

---Waits until enough of them have settled.
---@async
---@generic T
---@param list tidepool.Future<T>[]
---@param options? tidepool.WaitOptions
---@return tidepool.Future<T>[] done
---@return tidepool.Future<T>[] pending
function tidepool.wait(list, options) end

---Makes awaiting yield in the coroutines of another event loop.
---@param adapter tidepool.Adapter
---@return fun() off takes it off again
function tidepool.use_loop(adapter) end

---The seconds of a clock that only goes forward.
---@nodiscard
---@return number seconds
function tidepool.now() end

---Makes the table an Error; does not raise it.
---@nodiscard
---@param fields {kind?: tidepool.Kind, message?: string, [string]: any}
---@return tidepool.Error fields themselves
function tidepool.error(fields) end

---Does this Lua state refuse to send what would lose its metatable?
---@param on? boolean
---@return boolean before
function tidepool.strict(on) end

---A text for people: what was raised, and the traceback of where.
---@nodiscard
---@param err any
---@return string
function tidepool.traceback(err) end

---The results of a Future; any other value as it is.
---@async
---@param value any
---@param timeout? number seconds
---@return any ...
function tidepool.await(value, timeout) end

---Returns true if it is a Future.
---@nodiscard
---@param x any
---@return boolean
function tidepool.is_future(x) end

---Where tidepool.h is, for building modules in C.
---@nodiscard
---@return string? path
---@return string? message
function tidepool.header() end

return tidepool
