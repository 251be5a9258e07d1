import { NOW, TELL, TEXT, TEXT_FIELD } from "./lua.ts";
import { ENGINE_MEMORY_MS } from "./registry.ts";

export const REPLICA_SCRIPTS = {
  /**
   * replica, images, replicaIndex, engineIndex | body, ttlMs, id, instance, the instance to replace or '', channel
   * → the entry of another instance that has the id: then nothing is written.
   */
  announceReplica: {
    numberOfKeys: 4,
    lua: `${NOW}${TEXT}${TEXT_FIELD}${TELL}
local before = text(KEYS[1])
local holder = field(before, 'instance')
if holder ~= '' and holder ~= ARGV[4] and holder ~= ARGV[5] then return before end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZADD', KEYS[3], now + ARGV[2], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ${ENGINE_MEMORY_MS})
redis.call('ZADD', KEYS[4], now, ARGV[3])
redis.call('PEXPIRE', KEYS[4], ${ENGINE_MEMORY_MS})
if before ~= ARGV[1] then tell(ARGV[6], '{"kind":"replica","replica":' .. ARGV[1] .. '}') end
return false`,
  },
  /** replica, images, replicaIndex | id, instance, channel */
  withdrawReplica: {
    numberOfKeys: 3,
    lua: `${TEXT}${TEXT_FIELD}${TELL}
local before = text(KEYS[1])
if not before or field(before, 'instance') ~= ARGV[2] then return end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2])
tell(ARGV[3], '{"kind":"left","replicaId":' .. cjson.encode(ARGV[1]) .. '}')`,
  },
  /**
   * drains | id, 'true' or 'false', channel. That it is not wished is always told: a replica may be about to write again
   * what was wished before all was lost.
   */
  setDraining: {
    numberOfKeys: 1,
    lua: `${TELL}
local isWished = ARGV[2] == 'true'
if redis.call(isWished and 'SADD' or 'SREM', KEYS[1], ARGV[1]) == 0 and isWished then return end
tell(ARGV[3], '{"kind":"drain","replicaId":' .. cjson.encode(ARGV[1]) .. ',"draining":' .. ARGV[2] .. '}')`,
  },
  /**
   * lease | the one that wants it, ttlMs, the holder to replace or '', channel, what is told there of a new holder or ''
   * → the one that has it
   */
  takeLease: {
    numberOfKeys: 1,
    lua: `${TELL}${TEXT}
local holder = text(KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return holder
end
if holder and holder ~= ARGV[3] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[5] ~= '' then tell(ARGV[4], ARGV[5]) end
return ARGV[1]`,
  },
  /** lease | the one that gives it back, if it has it */
  releaseLease: {
    numberOfKeys: 1,
    lua: `${TEXT}
if text(KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`,
  },
} as const;
