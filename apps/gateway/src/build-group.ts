/** Begins the names of what gateways agree on, beside images, which have no space in theirs. */
export const BUILD_GROUP = "build ";
