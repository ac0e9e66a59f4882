---@meta tidepool.loop.copas
-- Nothing loads this file.

---Makes awaiting yield to copas, once it is required.
---@class tidepool.loop.copas
---@field adapter tidepool.Adapter
local copas = {}

---Takes the adapter off again.
function copas.detach() end

return copas
