import { NOW, TEXT, TEXT_FIELD } from "./lua.ts";

export const RECORD_SCRIPTS = {
  /**
   * record, recordIndex, session | body, ttlMs or '', id, replica id, desired → the replica that has it, where that is
   * another or the runtime was stopped and would not be any more: then nothing is written.
   * With a time the session is free, unless another runtime holds it.
   */
  putRecord: {
    numberOfKeys: 3,
    lua: `${NOW}${TEXT}${TEXT_FIELD}
local stored = text(KEYS[1])
local owner = field(stored, 'replicaId')
if owner ~= '' and owner ~= ARGV[4] then return owner end
if ARGV[5] ~= 'stopped' and field(stored, 'desired') == 'stopped' then return ARGV[4] end
local expires = '+inf'
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  expires = now + ARGV[2]
  if text(KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], expires, ARGV[3])
return false`,
  },
  /** record, recordIndex | id, replica id. What names no replica belongs to none. */
  removeRecord: {
    numberOfKeys: 2,
    lua: `${TEXT}${TEXT_FIELD}
if field(text(KEYS[1]), 'replicaId') ~= ARGV[2] then return end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])`,
  },
  /** record, recordIndex before, recordIndex after | body before, body after, id → whether the record was still the one before */
  moveRecord: {
    numberOfKeys: 3,
    lua: `${NOW}${TEXT}
if text(KEYS[1]) ~= ARGV[1] then return 0 end
local ttl = redis.call('PTTL', KEYS[1])
local expires = '+inf'
if ttl >= 0 then expires = now + ttl end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
redis.call('ZREM', KEYS[2], ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZADD', KEYS[3], expires, ARGV[3])
return 1`,
  },
  /**
   * (number of keys) index, entries | the replica that the index is of or '', then an id per entry. Takes the ids out of the index
   * whose entry is gone or belongs to another replica now; looks again, as the entry may have come back since.
   */
  healIndex: {
    lua: `${TEXT}${TEXT_FIELD}
for i = 2, #KEYS do
  local body = text(KEYS[i])
  local owner = field(body, 'replicaId')
  local gone = redis.call('EXISTS', KEYS[i]) == 0 or (ARGV[1] ~= '' and owner ~= '' and owner ~= ARGV[1])
  if gone then redis.call('ZREM', KEYS[1], ARGV[i]) end
end`,
  },
} as const;
