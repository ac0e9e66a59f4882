---@meta _
-- Pools of workers, and what runs in one. Nothing loads this file.

---@alias tidepool.Priority "high"|"normal"|"low"

---@class tidepool.Options
---@field workers? integer|"auto" threads, 1 to 1024, or tidepool.cpus() (4)
---@field queue? integer tasks that may wait, 1 to 2^20 (workers * 10)
---@field name? string for tidepool.attach
---@field full? "wait"|"fail" what call does when the queue is full ("wait")
---@field init? function|string run ("module:field" too) or required in workers
---@field memory_limit? integer bytes of a worker's Lua state, 131072 or more
---@field origin? boolean tracebacks tell where the call was made (false)
---@field profile? boolean workers let SIGPROF in, for profilers (false)
---@field strict? boolean refuse tables that would lose their metatable (false)
---@field spin? integer looks before sleeping, 0 to 1000000 (2000)

---@class tidepool.CallOptions
---@field timeout? number seconds a call may take; 0 for no limit
---@field priority? tidepool.Priority
---@field full? "wait"|"fail"
---@field name? string what the tasks are called

---@class tidepool.ShutdownOptions
---@field drain? boolean run what is queued (true)
---@field timeout? number seconds

---@class tidepool.MapOptions
---@field chunk? integer|"auto" values in one task ("auto")
---@field concurrency? integer tasks under way at a time (workers * 4)

---@class tidepool.ImapOptions
---@field concurrency? integer calls ahead of the loop (workers * 2)
---@field state? any what the iterator is called with
---@field control? any
---@field closing? any

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

---Numbers; its `tostring` is a table to read.
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

---A pool of threads behind a bounded queue; `<close>` shuts it down.
---@class tidepool.AsyncManager
local AsyncManager = {}

---Queues a call of f; waits only while the queue is full.
---@async
---@generic T
---@param f string|fun(...: any): T or "module:field", or a registered name
---@param ... any a Future stands for its results
---@return tidepool.Future<T>
function AsyncManager:call(f, ...) end

---The same without waiting: nil and "full" when there is no slot.
---@nodiscard
---@generic T
---@param f string|fun(...: any): T
---@param ... any
---@return tidepool.Future<T>?
---@return "full"?
function AsyncManager:try_call(f, ...) end

---Calls f once for each table of arguments, with one wake-up for all.
---@async
---@generic T
---@param f string|fun(...: any): T
---@param list any[][] tables of arguments
---@return tidepool.Future<T>[]
function AsyncManager:call_many(f, list) end

---Calls fn with each value, on the workers; waits until all results are there.
---@async
---@nodiscard
---@generic V, T
---@param fn string|fun(value: V): T
---@param list V[]
---@param options? tidepool.MapOptions
---@return T[] results the first result of each call, in order, with n
function AsyncManager:map(fn, list, options) end

---For a `for`: the number and the results of each call, in order.
---@async
---@nodiscard
---@generic T
---@param fn string|fun(...: any): T
---@param source any[]|function a list, or an iterator
---@param options? tidepool.ImapOptions
---@return fun(): integer?, T, ...
function AsyncManager:imap(fn, source, options) end

---Folds the list with fn, parts of it on the workers; waits for the result.
---@async
---@nodiscard
---@generic T
---@param fn string|fun(a: T, b: T): T associative
---@param list T[]
---@param init? T comes first; nil is nothing
---@param options? tidepool.MapOptions
---@return T
function AsyncManager:reduce(fn, list, init, options) end

---As map, without results.
---@async
---@generic V
---@param fn string|fun(value: V)
---@param list V[]
---@param options? tidepool.MapOptions
function AsyncManager:each(fn, list, options) end

---A view of the same pool, with other options for its calls.
---@nodiscard
---@param options tidepool.CallOptions
---@return tidepool.AsyncManager view
function AsyncManager:with(options) end

---Waits until what is unsettled now has settled; returns true if it has.
---@async
---@param timeout? number seconds
---@return boolean settled
function AsyncManager:wait_all(timeout) end

---Takes no more calls, and waits until all workers have stopped.
---@async
---@param options? tidepool.ShutdownOptions
---@return boolean stopped false when the timeout came first
function AsyncManager:shutdown(options) end

---How many tasks wait, run and have ended, and how long that took.
---@nodiscard
---@return tidepool.Stats
function AsyncManager:stats() end

---Its name, or nil.
---@nodiscard
---@return string?
function AsyncManager:name() end

---All registered functions, as tidepool.functions.
---@nodiscard
---@return tidepool.FunctionInfo[]
function AsyncManager:functions() end

---The running Lua task or coroutine.
---@class tidepool.Task
---@field id integer of its future
---@field name string
---@field cancelled boolean true if it was cancelled or its time is over
local Task = {}

---For future:progress().
---@param fraction number 0 to 1
---@param note? string up to 63 bytes
function Task:progress(fraction, note) end
