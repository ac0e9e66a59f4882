---@meta tidepool.loop.cqueues
-- Nothing loads this file.

---Makes awaiting yield to cqueues, once it is required.
---@class tidepool.loop.cqueues
---@field adapter tidepool.Adapter
local cqueues = {}

---Takes the adapter off again.
function cqueues.detach() end

return cqueues
