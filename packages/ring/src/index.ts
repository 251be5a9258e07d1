export { createRing, type Ring, type RingMember } from "./ring.ts";
