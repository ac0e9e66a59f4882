-- busted gives what it calls, and all functions made in there, an environment
-- of its own. It would travel with each of them, by value. With
--   local describe, it = plain(describe), plain(it)
--   local _ENV = _G
-- at the top of a spec they keep the globals, as functions of a program do.

return function (block)
  return function (name, body)
    return block(name, function () body() end)
  end
end
