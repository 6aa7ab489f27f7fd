-- wrk's part of P15: what the callers ask for over HTTP, as screening-bench asks for it by RPC.
-- wrk ... -s p15_http.lua URL -- MIX HOSPITAL_ID DATE

local RECENT = 4096 -- bookings that are remembered to be read
local ORDER = { "book", "get", "availability", "list", "get", "get", "availability", "list", "get", "availability" }

local JSON = { ["Content-Type"] = "application/json" }
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  mix, hospital, date = arguments[1], arguments[2], arguments[3]
  asked, confirmed, wrong = 0, 0, 0
  first_wrong = ""
  bookings = {}
end

local function book()
  return wrk.format("POST", "/bookings", JSON,
    '{"customerId":"c' .. asked .. '","customerName":"name","hospitalId":"' .. hospital .. '","date":"' .. date .. '"}')
end

function request()
  asked = asked + 1
  local kind = mix == "book" and "book" or ORDER[asked % #ORDER + 1]
  local recent = bookings[asked % RECENT] or bookings[1]
  if kind == "book" or recent == nil then
    return book()
  elseif kind == "get" then
    return wrk.format("GET", "/bookings/" .. recent.id)
  elseif kind == "list" then
    return wrk.format("GET", "/bookings?customerId=" .. recent.customer)
  end
  return wrk.format("GET", "/hospitals/" .. hospital .. "/availability?fromDate=" .. date)
end

function response(status, headers, body)
  if status == 201 then
    confirmed = confirmed + 1
    if mix ~= "book" then
      bookings[confirmed % RECENT] = { id = body:match('"bookingId":"([^"]+)"'), customer = body:match('"customerId":"([^"]+)"') }
    end
  elseif status ~= 200 then
    wrong = wrong + 1
    first_wrong = status .. " " .. body
  end
end

function done(summary, latency, requests)
  local sum = { confirmed = 0, wrong = 0 }
  for _, thread in ipairs(threads) do
    sum.confirmed = sum.confirmed + thread:get("confirmed")
    sum.wrong = sum.wrong + thread:get("wrong")
    if thread:get("wrong") > 0 then io.stderr:write(thread:get("first_wrong"), "\n") end
  end
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format('RESULT {"requests":%d,"confirmed":%d,"wrong":%d,"lost":%d,"us":%d,"p50_ms":%.3f,"p99_ms":%.3f}\n',
    summary.requests, sum.confirmed, sum.wrong, lost, summary.duration, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
