import pg from "pg";
import { afterAll, expect, test } from "vitest";
import { UsageLimitError, UsageLimiter, UsageTracker } from "../src/index.js";
import { createDatabase } from "./server.js";

const schema = 'Weird "schema"';
const database = await createDatabase({ schema, searchPath: false });
const pool = new pg.Pool(database.app);
afterAll(() => pool.end());

test("calls the extension in a schema that no search_path leads to", async () => {
	const usage = new UsageTracker(pool, { schema });
	expect(await usage.consume({ userId: "ann", usageType: "export", amount: 3 })).toMatchObject({
		allowed: true,
	});
	expect((await usage.getUserLimits("ann")).exports).toMatchObject({ current: 3 });
	await expect(new UsageLimiter(pool, { schema }).middleware("ann", "export_video")).rejects.toThrow(
		UsageLimitError,
	);
	await expect(usage.with(pool).enforce({ userId: "ann", usageType: "export" })).rejects.toThrow(
		UsageLimitError,
	);
});
