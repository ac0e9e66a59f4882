-- What "spec.support.shop:field" stands for in specs.

local tidepool = require "tidepool"

local shop = { price = 42 }

-- Is this a worker, and what was given?
function shop.charge(...)
  return tidepool.current() ~= nil, ...
end

function shop.double(x)
  return 2 * x
end

function shop.sum(a, b)
  return a + b
end

function shop.pass(...)
  return ...
end

function shop.wait(...)
  tidepool.sleep(0)
  return ...
end

function shop.fail(what)
  error(what, 0)
end

function shop.name()
  return tidepool.task().name
end

function shop.open()
  _G.shop_is_open = true
end

function shop.is_open()
  return _G.shop_is_open
end

local left = 0

function shop.visitors(n)
  left = n
end

function shop.next()
  left = left - 1
  if left >= 0 then
    return left
  end
end

return shop
