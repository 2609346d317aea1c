-- Each request with another token: the file named after `--` holds one a line, and is gone round from the top.
-- After it stands how many requests the server has had before, so that each load goes on where the last ended.
-- The requests are built before the load starts, so that wrk costs the same with a repeated token.
local requests, next_one = {}, 0

function init(args)
  next_one = tonumber(args[2])
  for token in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", "/greeting", { ["Authorization"] = "Bearer " .. token })
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
