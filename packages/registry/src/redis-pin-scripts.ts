import { IN_PARTS, NOW, TELL } from "./lua.ts";

/** From the argument `first` on, image and pin by turns: those that are not there yet, and not left out. */
const ADD = `
local function add(first, leaveOut)
  local new = {}
  for i = first, #ARGV, 2 do
    if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 and not leaveOut(ARGV[i]) then
      new[#new + 1] = ARGV[i]
      new[#new + 1] = ARGV[i + 1]
    end
  end
  if redis.call('HLEN', KEYS[1]) + #new / 2 > tonumber(ARGV[1]) then return false end
  if #new == 0 then return 0 end
  inParts('HSET', KEYS[1], new)
  tell(ARGV[2], '{"kind":"pins"}')
  return #new / 2
end`;

export const PIN_SCRIPTS = {
  /** pins, unpinned | how many there may be, channel, image, pin as JSON … → how many are new; false: too many, nothing is written */
  pinImages: {
    numberOfKeys: 2,
    lua: `${TELL}${IN_PARTS}${ADD}
local added = add(3, function() return false end)
if not added then return false end
local images = {}
for i = 3, #ARGV, 2 do images[#images + 1] = ARGV[i] end
inParts('ZREM', KEYS[2], images)
return added`,
  },
  /** The same, but for what was unpinned last: it stays so. */
  restorePins: {
    numberOfKeys: 2,
    lua: `${TELL}${IN_PARTS}${ADD}
return add(3, function(image) return redis.call('ZSCORE', KEYS[2], image) end)`,
  },
  /** pins, unpinned | how many unpinned are remembered, channel, image … → how many were pinned */
  unpinImages: {
    numberOfKeys: 2,
    lua: `${NOW}${TELL}${IN_PARTS}
local removed, unpinned = 0, {}
for i = 3, #ARGV do
  removed = removed + redis.call('HDEL', KEYS[1], ARGV[i])
  unpinned[#unpinned + 1] = now
  unpinned[#unpinned + 1] = ARGV[i]
end
inParts('ZADD', KEYS[2], unpinned)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - ARGV[1])
if removed > 0 then tell(ARGV[2], '{"kind":"pins"}') end
return removed`,
  },
} as const;
