---@meta _
-- What is started together and ends together. Nothing loads this file.

---Left only when all that was begun in it has settled.
---@class tidepool.Scope
local Scope = {}

---A coroutine that belongs to the scope.
---@generic T
---@param fn string|fun(...: any): T
---@param ... any by reference
---@return tidepool.Future<T>
function Scope:spawn(fn, ...) end

---As tidepool.call; the task belongs to the scope.
---@async
---@generic T
---@param f string|fun(...: any): T
---@param ... any
---@return tidepool.Future<T>
function Scope:call(f, ...) end

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
