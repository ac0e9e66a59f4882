---@meta _
-- Futures, the promises that settle them, and groups of them. Nothing loads
-- this file.

---The read end of one result, whose first value is a T; settles exactly once.
---@class tidepool.Future<T>
local Future = {}

---Waits until it has settled; returns the results, or raises its Error.
---@async
---@param timeout? number seconds; 0 polls
---@return T
---@return any ...
function Future:await(timeout) end

---The same, as pcall does it: true and the results, or false and the Error.
---@async
---@param timeout? number seconds
---@return boolean ok
---@return T|tidepool.Error result
---@return any ...
function Future:pawait(timeout) end

---Waits until it has settled, and returns true if it has in time.
---@async
---@param timeout? number seconds
---@return boolean settled
function Future:wait(timeout) end

---The results of a settled future; raises "future not ready" before.
---@return T
---@return any ...
function Future:get() end

---Returns true if it has settled.
---@nodiscard
---@return boolean
function Future:is_ready() end

---What it is doing, or how it ended.
---@nodiscard
---@return tidepool.State
function Future:state() end

---A number, different for each future of the process.
---@nodiscard
---@return integer
function Future:id() end

---Settles it now; a call that runs is told, one that is queued never runs.
---Cancels what it awaits as well, if nobody else waits for that.
---@param reason? string
---@return boolean settled true if this call settled it
function Future:cancel(reason) end

---Takes it away from its parent, its scopes and who awaits it, so that it is
---not cancelled with them.
---@return tidepool.Future<T> future itself
function Future:detach() end

---Returns true if anybody waits for it.
---@nodiscard
---@return boolean awaited
function Future:awaited() end

---A future of what f returns for the results, or g for the Error.
---@generic U
---@param f string|fun(...: any): U a Future it returns is followed
---@param g? string|fun(err: tidepool.Error): U
---@return tidepool.Future<U>
function Future:and_then(f, g) end

---A future of the results, or of what g returns for the Error.
---@generic U
---@param g string|fun(err: tidepool.Error): U
---@return tidepool.Future<T|U>
function Future:catch(g) end

---A future that settles as this one, after h was called, unless h raises.
---@param h string|fun() called either way
---@return tidepool.Future<T>
function Future:finally(h) end

---Frees the result now; later reads raise.
function Future:cleanup() end

---How far the function says it is, and its note.
---@nodiscard
---@return number fraction 0 to 1
---@return string? note
function Future:progress() end

---For cqueues.poll: the descriptor of this Lua state, as tidepool.fd.
---@nodiscard
---@return integer descriptor
function Future:pollfd() end

---For cqueues.poll: what to wait for.
---@nodiscard
---@return "r"
function Future:events() end

---For cqueues.poll: 0 once it has settled.
---@nodiscard
---@return 0|nil
function Future:timeout() end

---For LuaSocket's select: the descriptor of this Lua state.
---@nodiscard
---@return integer descriptor
function Future:getfd() end

---For LuaSocket's select: returns true if it has settled.
---@nodiscard
---@return boolean
function Future:dirty() end

---The write end of a Future, for Lua code that settles it.
---@class tidepool.Promise
local Promise = {}

---Completes the Future; with a Future as the only value, follows that.
---@param ... any
---@return boolean decided true if this call decided
function Promise:resolve(...) end

---Fails the Future, with the value in its Error.
---@param value any
---@return boolean decided true if this call decided
function Promise:reject(value) end

---For future:progress().
---@param fraction number 0 to 1
---@param note? string up to 63 bytes
function Promise:progress(fraction, note) end

---Returns true if the Future was cancelled, so that the work can stop.
---@nodiscard
---@return boolean
function Promise:cancelled() end

---Its Future.
---@nodiscard
---@return tidepool.Future<any>
function Promise:future() end

---Has f called, as a coroutine, when the Future is cancelled.
---@param f string|fun(reason: any)
---@return tidepool.Promise promise itself
function Promise:on_cancel(f) end

---Futures in the order in which they settle.
---@class tidepool.Group
---@operator len: integer
---@operator call: any
local Group = {}

---Adds a Future of any kind.
---@param future tidepool.Future<any>
---@param key? any by reference; the future itself if left out
---@return tidepool.Group group itself
function Group:add(future, key) end

---Waits for the next one that settles.
---@async
---@param timeout? number seconds
---@return any key nil when none is left or time is over
---@return tidepool.Future<any>|"timeout"|nil future
function Group:next(timeout) end

---Takes it out, and returns true if it was there.
---@param future tidepool.Future<any>
---@return boolean removed
function Group:remove(future) end

---Takes all out.
function Group:clear() end
