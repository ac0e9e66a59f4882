---@meta _
-- What a failure is, and what a future can be. Nothing loads this file.

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

---What happened to a task; its `tostring` is the message.
---@class tidepool.Error
---@field kind tidepool.Kind
---@field message string
---@field value any what the task raised, or the reason of a cancel
---@field traceback? string of the worker, and of the call if origin is set
---@field name? string of the function
---@field index? integer of map and its kin: place of the element that failed
---@field id? integer of the future
---@field settled? boolean of a timeout: the future's (true), an await's (false)
---@field errors? tidepool.Error[] of tidepool.any: all failures
---@field others? tidepool.Error[] of a scope: failures after this one

---How one of the futures of all_settled ended.
---@class tidepool.Outcome<T>
---@field state "completed"|"failed"|"cancelled"
---@field value? T the first result
---@field values? table all results, with n
---@field error? tidepool.Error
