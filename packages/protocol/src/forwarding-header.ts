/** With these a gateway tells a replica how its client reaches sandboxes: the URL base, and `direct` or `gateway`; */
export const BASE_URL_HEADER = "x-runtime-base-url";
export const ROUTING_HEADER = "x-runtime-routing";
/** with this why it sent a start there, in one word: it shows in the events of the runtime. */
export const PLACEMENT_HEADER = "x-runtime-placement";
/** With this for how many milliseconds an upload may wait for room there: others may have some. */
export const ROOM_WAIT_HEADER = "x-runtime-room-wait-ms";
/** With this, set to `1`, that by the registry nobody has the session: it answers, so the replica can have it soon as well. */
export const UNCLAIMED_HEADER = "x-runtime-unclaimed";
/** With this a replica's `/health` says which process answers. */
export const INSTANCE_HEADER = "x-replica-instance";
