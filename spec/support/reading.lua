-- Reads a file, in the program or in a worker, and tells what came: for
-- comparing the two.

local reading = {}

-- Reads with these formats until nothing comes any more. Answers lists of
-- what each read answered.
function reading.repeatedly(source, piped, formats)
  local file <close> = piped and assert(io.popen(source))
    or assert(io.open(source))
  local results = {}
  for i = 1, 200 do
    results[i] = table.pack(file:read(table.unpack(formats)))
    if results[i][results[i].n] == nil then
      break
    end
  end
  return results
end

-- The same by an iterator.
function reading.by_lines(source, piped, formats)
  local file <close> = piped and assert(io.popen(source))
    or assert(io.open(source))
  local results = {}
  for first, second in file:lines(table.unpack(formats)) do
    results[#results + 1] = { first, second, n = 2 }
  end
  return results
end

-- What io.lines answers, and whether its file is closed at the end.
function reading.by_name(path)
  local iterator, a, b, file = io.lines(path, "n", "l")
  local results = { { a, b, io.type(file), n = 3 } }
  for number, rest in iterator do
    results[#results + 1] = { number, rest, n = 2 }
  end
  results[#results + 1] = { io.type(file), n = 1 }
  results[#results + 1] = { pcall(iterator) }
  return results
end

-- What misuse raises.
function reading.misuse(path)
  local file = assert(io.open(path))
  local results = {
    { pcall(file.read, file, "x") },
    { pcall(file.read, file, {}) },
    { pcall(file.read, file, 1.5) },
    { pcall(function () return file:read "z" end) },
    { pcall(io.lines, path .. ".missing") },
    { pcall(file.lines(file, "q")) },
  }
  file:close()
  results[#results + 1] = { pcall(file.read, file) }
  results[#results + 1] = { pcall(file.lines, file) }
  local writer = assert(io.open(os.tmpname(), "w"))
  results[#results + 1] = { writer:read() }
  results[#results + 1] = { writer:read "a" }
  return results
end

-- Counts the lines of a stream that are whole, with others who do the same.
function reading.whole_lines(pattern)
  local count, torn = 0, 0
  for line in io.lines() do
    if line:find(pattern) then
      count = count + 1
    else
      torn = torn + 1
    end
  end
  return count, torn
end

return reading
