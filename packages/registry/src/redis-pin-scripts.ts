import { IN_PARTS, TELL } from "./lua.ts";

export const PIN_SCRIPTS = {
  /** pins | how many there may be, channel, image, pin as JSON … → how many are new; false: too many, nothing is written */
  pinImages: {
    numberOfKeys: 1,
    lua: `${TELL}${IN_PARTS}
local new = {}
for i = 3, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then
    new[#new + 1] = ARGV[i]
    new[#new + 1] = ARGV[i + 1]
  end
end
if redis.call('HLEN', KEYS[1]) + #new / 2 > tonumber(ARGV[1]) then return false end
if #new == 0 then return 0 end
inParts('HSET', KEYS[1], new)
tell(ARGV[2], '{"kind":"pins"}')
return #new / 2`,
  },
  /** pins | channel, image … → how many were pinned */
  unpinImages: {
    numberOfKeys: 1,
    lua: `${TELL}
local removed = 0
for i = 2, #ARGV do removed = removed + redis.call('HDEL', KEYS[1], ARGV[i]) end
if removed > 0 then tell(ARGV[1], '{"kind":"pins"}') end
return removed`,
  },
} as const;
