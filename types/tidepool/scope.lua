---@meta _
-- What is started together and ends together. Nothing loads this file.

---@class tidepool.ScopeOptions
---@field pool? tidepool.AsyncManager where calls go (the default manager)

---Left only when all that was begun in it has settled.
---@class tidepool.Scope
local Scope = {}

---A coroutine that belongs to the scope.
---@generic T
---@param fn string|fun(...: any): T
---@param ... any by reference
---@return tidepool.Future<T>
function Scope:spawn(fn, ...) end

---A call on the pool of the scope, to which it belongs.
---@async
---@generic T
---@param f string|fun(...: any): T
---@param ... any
---@return tidepool.Future<T>
function Scope:call(f, ...) end

---The same without waiting: nil and "full" when there is no slot.
---@nodiscard
---@generic T
---@param f string|fun(...: any): T
---@param ... any
---@return tidepool.Future<T>?
---@return "full"?
function Scope:try_call(f, ...) end

---Calls f once for each table of arguments.
---@async
---@generic T
---@param f string|fun(...: any): T
---@param list any[][] tables of arguments
---@return tidepool.Future<T>[]
function Scope:call_many(f, list) end

---As AsyncManager:map, as a child of the scope.
---@async
---@nodiscard
---@generic V, T
---@param fn string|fun(value: V): T
---@param list V[]
---@param options? tidepool.MapOptions
---@return T[] results the first result of each call, in order, with n
function Scope:map(fn, list, options) end

---As AsyncManager:imap; each call belongs to the scope.
---@async
---@nodiscard
---@generic T
---@param fn string|fun(...: any): T
---@param source any[]|function a list, or an iterator
---@param options? tidepool.ImapOptions
---@return fun(): integer?, T, ...
function Scope:imap(fn, source, options) end

---As AsyncManager:reduce, as a child of the scope.
---@async
---@nodiscard
---@generic T
---@param fn string|fun(a: T, b: T): T associative
---@param list T[]
---@param init? T comes first; nil is nothing
---@param options? tidepool.MapOptions
---@return T
function Scope:reduce(fn, list, init, options) end

---As AsyncManager:each, as a child of the scope.
---@async
---@generic V
---@param fn string|fun(value: V)
---@param list V[]
---@param options? tidepool.MapOptions
function Scope:each(fn, list, options) end

---Makes any Future one of the scope's.
---@generic T
---@param future tidepool.Future<T>
---@return tidepool.Future<T> future itself
function Scope:add(future) end

---From now on the scope has so long; then it is cancelled.
---@param seconds number
function Scope:timeout(seconds) end

---Cancels everything in the scope.
---@param reason? string
---@return boolean decided true if this call decided how the scope ends
function Scope:cancel(reason) end
