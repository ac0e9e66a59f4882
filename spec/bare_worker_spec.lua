-- Pools whose init takes away what tasks shall not have: what the library
-- itself runs in a worker does not look there.

local session = require "spec.support.session"

require "testmod"

local function half(x) return x / 2 end

describe("a worker without require and other globals", function ()
  local pool

  before_each(function ()
    pool = session.pool {
      workers = 1,
      init = function ()
        for _, name in ipairs {
          "require", "package", "type", "pcall", "error", "string", "table",
        } do
          rawset(_G, name, nil)
        end
      end,
    }
  end)
  after_each(session.finish)

  it("runs calls", function ()
    assert.are.equal(2.0, pool:call(half, 4):await(session.limit))
    assert.is_nil(pool:call(rawget, _G, "require"):await(session.limit))
  end)

  it("maps", function ()
    assert.are.same({ 1.0, 2.0, n = 2 }, pool:map(half, { 2, 4 }))
    assert.are.same({ 1, n = 1 }, pool:map("test.argcount", { 7 }))
  end)

  it("runs each", function ()
    pool:each(half, { 4 })
    pool:each("test.argcount", { 4 })
  end)

  it("reduces", function ()
    assert.are.equal(4, pool:reduce(math.max, { 4, 2 }))
    assert.are.equal(6, pool:reduce("test.add", { 4, 2 }))
  end)

  it("runs imap", function ()
    for _, x in pool:imap(half, { 4 }) do
      assert.are.equal(2.0, x)
    end
  end)
end)
