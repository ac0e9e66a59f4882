-- The keys of a table of cases, in an order that is the same in every run.

return function (cases)
  local names = {}
  for name in pairs(cases) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end
