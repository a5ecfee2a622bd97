import { customType } from "drizzle-orm/pg-core";

export const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/** The extension's composite type, as text: decisions are read by the functions that make them. */
export const usageDecision = customType<{ data: string }>({ dataType: () => "usage_decision" });

/** A transaction id with its epoch, as text. */
export const xid8 = customType<{ data: string }>({ dataType: () => "xid8" });
