---@meta tidepool.loop.luv
-- Nothing loads this file.

---Makes awaiting yield to luv, once it is required.
---@class tidepool.loop.luv
---@field adapter tidepool.Adapter
local luv = {}

---Takes the adapter off again.
function luv.detach() end

---A function that runs fn as a coroutine which may yield to luv wherever it is
---called from.
---@nodiscard
---@param fn function
---@return fun(...: any)
function luv.wrap(fn) end

return luv
