import { canonicalReference } from "@remote-runtime/image";
import type { AdminRoutes, Handlers } from "@remote-runtime/protocol";
import type { Pin, Registry } from "@remote-runtime/registry";
import type { Clock } from "@remote-runtime/runtime";
import { assertOperator } from "./assert-operator.ts";

export type PinHandlersOptions = {
  registry: Pick<Registry, "pin" | "unpin" | "pins">;
  clock: Pick<Clock, "now">;
  operators: readonly string[] | undefined;
};

/** The images that no engine gives up, whoever asks. */
export function createPinHandlers({
  registry,
  clock,
  operators,
}: PinHandlersOptions): Pick<Handlers<AdminRoutes>, "pins" | "pin" | "unpin"> {
  const rights = { operators, what: "pin images" };
  return {
    async pins() {
      const pins = [...(await registry.pins())].toSorted(([one], [other]) =>
        one < other ? -1 : 1,
      );
      return {
        pins: pins.map(([image, { by, at }]) => ({
          image,
          pinned_by: by,
          pinned_at: new Date(at).toISOString(),
        })),
      };
    },
    async pin({ body }, context) {
      assertOperator(context, rights);
      const pin: Pin = { by: context.owner, at: clock.now() };
      const images = body.images.map((image): [string, Pin] => [canonicalReference(image), pin]);
      return { pinned: await registry.pin(new Map(images)) };
    },
    async unpin({ body }, context) {
      assertOperator(context, rights);
      return { unpinned: await registry.unpin(body.images.map(canonicalReference)) };
    },
  };
}
