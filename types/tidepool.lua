---@meta tidepool
-- Annotations for the Lua language server. Nothing loads this file.

---@alias tidepool.Kind
---| "error" # the function failed
---| "cancelled"
---| "timeout"
---| "closed" # the manager was shut down
---| "broken" # a dropped promise, a failed init, or a pool from before a fork
---| "full"
---| "transfer"

---@alias tidepool.State
---| "pending"
---| "running"
---| "suspended"
---| "completed"
---| "failed"
---| "cancelled"

---@alias tidepool.Priority "high"|"normal"|"low"

---@class tidepool.Error
---@field kind tidepool.Kind
---@field message string
---@field value any what the task raised, or the reason of a cancel
---@field traceback? string of the worker, and of the call if origin is set
---@field name? string of the function
---@field id? integer of the future
---@field errors? tidepool.Error[] of tidepool.any: all failures
---@field others? tidepool.Error[] of a scope: failures after this one

---@class tidepool.Options
---@field workers? integer threads, 1 to 1024 (4)
---@field queue? integer tasks that may wait, 1 to 2^20 (workers * 10)
---@field name? string for tidepool.attach
---@field full? "wait"|"fail" what call does when the queue is full ("wait")
---@field init? function|string run or required in each worker's Lua state
---@field memory_limit? integer bytes of a worker's Lua state, 131072 or more
---@field origin? boolean tracebacks tell where the call was made (false)
---@field profile? boolean workers let SIGPROF in, for profilers (false)
---@field spin? integer looks before sleeping, 0 to 1000000 (2000)

---@class tidepool.CallOptions
---@field timeout? number seconds a call may take; 0 for no limit
---@field priority? tidepool.Priority
---@field full? "wait"|"fail"

---@class tidepool.ShutdownOptions
---@field drain? boolean run what is queued (true)
---@field timeout? number seconds

---@class tidepool.CombinatorOptions
---@field cancel? boolean cancel what is not needed any more (true)

---@class tidepool.AsCompletedOptions
---@field timeout? number seconds for the whole loop

---@class tidepool.WaitOptions
---@field when? "first"|"first_error"|"all" ("all")
---@field timeout? number seconds

---@class tidepool.MapOptions
---@field chunk? integer|"auto" values in one task ("auto")
---@field concurrency? integer tasks under way at a time (workers * 4)

---@class tidepool.ImapOptions
---@field concurrency? integer calls ahead of the loop (workers * 2)
---@field state? any what the iterator is called with
---@field control? any
---@field closing? any

---@class tidepool.Outcome
---@field state "completed"|"failed"|"cancelled"
---@field value any the first result
---@field values? table all results, with n
---@field error? tidepool.Error

---@class tidepool.Adapter
---@field running fun(): any, any a token if the coroutine is the loop's
---@field pause fun(token: any) yields to the loop
---@field resume fun(token: any) has the loop resume it at its next turn
---@field watch fun(fd: integer, step: function, which: any): function
---@field last? boolean asked after all others
---@field name? string

---@class tidepool.FunctionInfo
---@field name string
---@field signature? string

---@class tidepool.Quantiles
---@field p50 number seconds
---@field p90 number
---@field p99 number
---@field max number

---@class tidepool.Queued
---@field high integer
---@field normal integer
---@field low integer
---@field total integer

---@class tidepool.Stats
---@field workers integer
---@field queued tidepool.Queued
---@field running integer
---@field suspended integer tasks that wait for another future, or a slot
---@field replaced integer Lua states of workers that memory_limit had filled
---@field stopping integer
---@field submitted integer
---@field completed integer
---@field failed integer
---@field cancelled integer
---@field wait tidepool.Quantiles
---@field run tidepool.Quantiles

---@class tidepool.Future
local Future = {}

---Blocks until it has settled; the results, or raises its Error.
---@param timeout? number seconds; 0 polls
---@return any ...
function Future:await(timeout) end

---@param timeout? number seconds
---@return boolean ok
---@return any ... results, or the Error
function Future:pawait(timeout) end

---@param timeout? number seconds
---@return boolean settled
function Future:wait(timeout) end

---The results of a settled future; raises "future not ready" before.
---@return any ...
function Future:get() end

---@return boolean
function Future:is_ready() end

---@return tidepool.State
function Future:state() end

---@return integer
function Future:id() end

---@param reason? string
---@return boolean settled did this call settle it?
function Future:cancel(reason) end

---Takes it away from its parent.
---@return tidepool.Future future itself
function Future:detach() end

---@return boolean awaited does anybody wait for it?
function Future:awaited() end

---@param f fun(...): any of the results; a Future it answers is followed
---@param g? fun(err: tidepool.Error): any of a failure
---@return tidepool.Future
function Future:and_then(f, g) end

---@param g fun(err: tidepool.Error): any
---@return tidepool.Future
function Future:catch(g) end

---@param h fun() called either way
---@return tidepool.Future settles as this one, unless h raises
function Future:finally(h) end

---Frees the result now; later reads raise.
function Future:cleanup() end

---@return number fraction 0 to 1
---@return string? note
function Future:progress() end

---@return integer descriptor
function Future:pollfd() end

---@return "r"
function Future:events() end

---@return 0|nil
function Future:timeout() end

---@return integer descriptor
function Future:getfd() end

---@return boolean
function Future:dirty() end

---@class tidepool.AsyncManager
local AsyncManager = {}

---Blocks only while the queue is full.
---@param f string|function name of a registered function, or one of Lua
---@param ... any a Future stands for its results
---@return tidepool.Future
function AsyncManager:call(f, ...) end

---@param f string|function
---@param ... any
---@return tidepool.Future?
---@return "full"?
function AsyncManager:try_call(f, ...) end

---@param f string|function
---@param list any[][] tables of arguments
---@return tidepool.Future[]
function AsyncManager:call_many(f, list) end

---Blocks until all results are there.
---@param fn string|function called with each value, on the workers
---@param list any[]
---@param options? tidepool.MapOptions
---@return table results the first result of each call, in order, with n
function AsyncManager:map(fn, list, options) end

---For a `for`: the number and the results of each call, in order.
---@param fn string|function
---@param source any[]|function a list, or an iterator
---@param options? tidepool.ImapOptions
---@return fun(): integer?, ...
function AsyncManager:imap(fn, source, options) end

---@param fn string|function of two values, associative
---@param list any[]
---@param init any comes first; nil is nothing
---@param options? tidepool.MapOptions
---@return any
function AsyncManager:reduce(fn, list, init, options) end

---As map, without results.
---@param fn string|function
---@param list any[]
---@param options? tidepool.MapOptions
function AsyncManager:each(fn, list, options) end

---@param options tidepool.CallOptions
---@return tidepool.AsyncManager view of the same pool
function AsyncManager:with(options) end

---@param timeout? number seconds
---@return boolean settled
function AsyncManager:wait_all(timeout) end

---@param options? tidepool.ShutdownOptions
---@return boolean stopped
function AsyncManager:shutdown(options) end

---@return tidepool.Stats
function AsyncManager:stats() end

---@return string?
function AsyncManager:name() end

---@return tidepool.FunctionInfo[]
function AsyncManager:functions() end

---@class tidepool.Task
---@field id integer of its future
---@field name string
---@field cancelled boolean has it been cancelled, or is its time over?
local Task = {}

---For future:progress().
---@param fraction number 0 to 1
---@param note? string up to 63 bytes
function Task:progress(fraction, note) end

---@class tidepool.Promise
local Promise = {}

---Completes the Future; with a Future as the only value, follows that.
---@param ... any
---@return boolean decided was it this call?
function Promise:resolve(...) end

---@param value any
---@return boolean decided was it this call?
function Promise:reject(value) end

---@param fraction number 0 to 1
---@param note? string up to 63 bytes
function Promise:progress(fraction, note) end

---@return boolean
function Promise:cancelled() end

---@return tidepool.Future
function Promise:future() end

---@param f fun(reason: any) called as a coroutine when it is cancelled
---@return tidepool.Promise promise itself
function Promise:on_cancel(f) end

---Futures in the order in which they settle.
---@class tidepool.Group
---@operator len: integer
---@operator call: any
local Group = {}

---@param future tidepool.Future
---@param key? any by reference; the future itself if left out
---@return tidepool.Group group itself
function Group:add(future, key) end

---@param timeout? number seconds
---@return any key nil when none is left or time is over
---@return tidepool.Future|"timeout"|nil future
function Group:next(timeout) end

---@param future tidepool.Future
---@return boolean removed was it there?
function Group:remove(future) end

function Group:clear() end

---Left only when all that was begun in it has settled.
---@class tidepool.Scope
local Scope = {}

---@param fn function
---@param ... any by reference
---@return tidepool.Future
function Scope:spawn(fn, ...) end

---@param f string|function
---@param ... any
---@return tidepool.Future
function Scope:call(f, ...) end

---@param future tidepool.Future
---@return tidepool.Future future itself
function Scope:add(future) end

---@param seconds number from now on
function Scope:timeout(seconds) end

---@param reason? string
---@return boolean decided how the scope ends
function Scope:cancel(reason) end

---@class tidepool
---@field _VERSION string
---@field api lightuserdata the table of the C API
local tidepool = {}

tidepool.AsyncManager = {}

---@param options? tidepool.Options
---@return tidepool.AsyncManager
function tidepool.AsyncManager.new(options) end

---@return tidepool.AsyncManager
function tidepool.default() end

---@param f string|function name of a registered function, or one of Lua
---@param ... any a Future stands for its results
---@return tidepool.Future
function tidepool.call(f, ...) end

---@return tidepool.AsyncManager? pool of this worker; nil in a program
function tidepool.current() end

---@return tidepool.Task? task the running one; nil outside of one
function tidepool.task() end

---Calls a registered C function in place; in a Lua task only.
---@param name string
---@param ... any
---@return any ...
function tidepool.invoke(name, ...) end

---@param name string
---@return tidepool.AsyncManager
function tidepool.attach(name) end

---@return tidepool.FunctionInfo[]
function tidepool.functions() end

---@param timeout? number seconds (0)
---@return boolean news has a future of this Lua state settled?
function tidepool.poll(timeout) end

---@return integer descriptor
function tidepool.fd() end

---@param f? fun(err: tidepool.Error)
---@return fun(err: tidepool.Error)? before
function tidepool.on_unhandled(f) end

---@param seconds? number
---@return number before
function tidepool.exit_grace(seconds) end

---@return tidepool.Future
---@return tidepool.Promise
function tidepool.promise() end

---A coroutine of this Lua state; begins when that next waits.
---@param fn function
---@param ... any by reference
---@return tidepool.Future
function tidepool.spawn(fn, ...) end

---@param seconds number 0 lets others have a turn
function tidepool.sleep(seconds) end

---Calls fn once the future has settled, in whatever way.
---@param future tidepool.Future
---@param fn function
---@param ... any
---@return tidepool.Future
function tidepool.after(future, fn, ...) end

---@return tidepool.Group
function tidepool.group() end

---Left only when all that was begun in it has settled.
---@param fn fun(scope: tidepool.Scope, ...): ...
---@param ... any
---@return any ... results of fn
---@overload fun(): tidepool.Scope for a variable that is closed
function tidepool.scope(fn, ...) end

---Calls fn and waits for all that it has spawned.
---@param fn function
---@param ... any
---@return any ... results of fn
function tidepool.run(fn, ...) end

---Awaits without passing on that the caller is cancelled.
---@param future tidepool.Future
---@param timeout? number seconds
---@return any ...
function tidepool.shield(future, timeout) end

---@param seconds number
---@param fn function cancelled when the time is over
---@param ... any
---@return any ... results of fn
function tidepool.with_timeout(seconds, fn, ...) end

---@param list tidepool.Future[]
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future future of the list of first results
function tidepool.all(list, options) end

---@param list tidepool.Future[] not empty
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future future settles as the first to settle
function tidepool.race(list, options) end

---@param list tidepool.Future[] not empty
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future future completes as the first to complete
function tidepool.any(list, options) end

---@param list tidepool.Future[]
---@param options? tidepool.CombinatorOptions
---@return tidepool.Future future of a tidepool.Outcome[]
function tidepool.all_settled(list, options) end

---@param list tidepool.Future[]
---@param options? tidepool.AsCompletedOptions
---@return fun(): integer?, tidepool.Future?
function tidepool.as_completed(list, options) end

---@param list tidepool.Future[]
---@param options? tidepool.WaitOptions
---@return tidepool.Future[] done
---@return tidepool.Future[] pending
function tidepool.wait(list, options) end

---@param adapter tidepool.Adapter
---@return function off takes it off again
function tidepool.use_loop(adapter) end

---@return number seconds of a clock that only goes forward
function tidepool.now() end

---@param fields {kind?: tidepool.Kind, message?: string, [string]: any}
---@return tidepool.Error fields themselves
function tidepool.error(fields) end

---@param value any
---@param timeout? number seconds
---@return any ... results of a Future, or the value
function tidepool.await(value, timeout) end

---@param x any
---@return boolean
function tidepool.is_future(x) end

---@return string? path of tidepool.h
---@return string? message
function tidepool.header() end

return tidepool
