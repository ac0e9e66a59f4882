-- NULL in the C API, where authors of modules come by it: a string that is
-- not set, a field that is missing, a future that there is none of.

local session = require "spec.support.session"

require "testmod"

local pool

local function call(name)
  return table.pack(pool:call(name):await(session.limit))
end

local function message(name)
  return session.failure(pool:call(name)).message
end

describe("NULL in the C API", function ()
  before_each(function () pool = session.pool { workers = 1 } end)
  after_each(session.finish)

  it("is nil where a string, a value or a future is pushed", function ()
    assert.are.same({ nil, nil, nil, nil, "", n = 5 }, call "test.null_pushes")
  end)

  it("reads as nil", function ()
    assert.are.same({ true, false, 0, 0.0, nil, 0, true, n = 7 },
      call "test.null_reads")
  end)

  it("is a failure for bytes that have a length", function ()
    assert.are.equal("misused the C API: bytes without an address",
      message "test.null_bytes")
  end)

  it("is a failure for the name of a field", function ()
    assert.are.equal("misused the C API: a table key is nil or NaN",
      message "test.null_key")
  end)

  it("fails a task as any other format does", function ()
    assert.are.equal("failed without a message (NULL)",
      message "test.null_fail")
  end)

  it("cannot be awaited", function ()
    assert.is_not.equal(0, call("test.null_await")[1])
  end)

  it("is no function, and no manager, and nothing to release", function ()
    local codes = call "test.null_submit"
    assert.is_not.equal(0, codes[1])
    assert.is_not.equal(0, codes[2])
    assert.is_not.equal(codes[1], codes[2])
  end)

  it("rejects a promise as any other message does", function ()
    assert.are.equal("rejected without a message (NULL)",
      call("test.null_reject")[1])
  end)
end)
