import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { UsageAnalytics, UsageLimiter, UsageTracker } from "usage-limits";

export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
export const db = drizzle(pool);

/** Where the migration has put the extension. */
const schema = { schema: "usage" };
export const usageTracker = new UsageTracker(db, schema);
export const usageLimiter = new UsageLimiter(db, schema);
export const usageAnalytics = new UsageAnalytics(db, schema);
