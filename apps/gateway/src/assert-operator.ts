import { ServiceError, type CallContext } from "@remote-runtime/protocol";

/** Throws `forbidden` unless the caller is one of `operators`; undefined: everybody is. `what`: what they may, as in "drain replicas". */
export function assertOperator(
  { owner }: Pick<CallContext, "owner">,
  { operators, what }: { operators: readonly string[] | undefined; what: string },
): void {
  if (!operators || operators.includes(owner)) return;
  const problem = `the key of ${owner} may not ${what}; OPERATORS names those that may`;
  throw new ServiceError("forbidden", problem);
}
