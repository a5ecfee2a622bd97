import { describe, expect, test } from "vitest";
import { sqlStateOf, UsageCredits, UsageLimitError, UsageTracker } from "../src/index.js";
import { drivers } from "./drivers.js";
import { createDatabase } from "./server.js";

const database = await createDatabase();
await database.sql(`SELECT usage_grant('${database.name}', 'billing')`);

describe.each(Object.entries(drivers))("%s", (name, open) => {
	const { db, transaction } = open(database.app);
	const credits = new UsageCredits(db);
	const user = (suffix: string) => `${name} ${suffix}`;

	test("grants, spends, refunds and voids", async () => {
		const userId = user("spends");
		const payment = { userId, amount: 100, referenceId: "payment-1", metadata: { plan: "small" } };
		const granted = await credits.grant(payment);
		expect(granted).toMatchObject({ allowed: true, balance: 100, grantId: expect.any(Number) });
		// a webhook that comes twice
		expect(await credits.grant(payment)).toMatchObject({ grantId: granted.grantId, balance: 100 });
		expect(await credits.grant({ ...payment, amount: 200 }).catch(sqlStateOf)).toBe("23505");
		await credits.grant({ userId, amount: 10n, priority: -1, expiresAt: new Date(Date.now() + 3_600_000) });

		const spent = await credits.spend({ userId, amount: 30, description: "a video" });
		expect(spent).toMatchObject({ allowed: true, balance: 80, transactionId: expect.any(Number) });
		expect(await credits.refund(spent.transactionId as number, { amount: 5, userId })).toMatchObject({
			balance: 85,
		});
		expect(await credits.balance(userId)).toBe(85);
		expect(await credits.balance(userId, new Date(Date.now() - 60_000))).toBe(0);
		const grants = await credits.grants(userId);
		expect(grants).toHaveLength(2);
		expect(grants[0]?.expiresAt ?? grants[1]?.expiresAt).toBeInstanceOf(Date);
		expect((await credits.statement(userId)).length).toBeGreaterThanOrEqual(4);
		expect((await credits.void(granted.grantId as number, { userId })).balance).toBeLessThan(85);
		const admin = new UsageCredits(database.admin);
		expect((await admin.refill(userId)).balance).toBe(await credits.balance(userId));
	});

	test("a lack of credits is a UsageLimitError with status 402, or an answer", async () => {
		const userId = user("lacks");
		await credits.grant({ userId, amount: 4 });
		const thrown = await credits.spend({ userId, amount: 10 }).catch((error: unknown) => error);
		expect(thrown).toBeInstanceOf(UsageLimitError);
		expect(thrown).toMatchObject({
			status: 402,
			code: "PT402",
			message: "You have 4 credits and need 10.",
			decision: { allowed: false, reason: "insufficient_credits", current: 4, limit: 10, remaining: 4 },
		});
		expect(await credits.spend({ userId, amount: 10, throwOnInsufficient: false })).toMatchObject({
			allowed: false,
			reason: "insufficient_credits",
			balance: 4,
		});
	});

	test("what is held is not there for others, and is settled like any hold", async () => {
		const userId = user("holds");
		const tracker = new UsageTracker(db);
		await credits.grant({ userId, amount: 10 });
		const hold = { userId, amount: 6, holdId: `${name} film` };
		expect(await credits.hold({ ...hold, ttl: "1 hour" })).toMatchObject({ allowed: true, balance: 10 });
		expect(await credits.hold(hold)).toMatchObject({ allowed: true, balance: 10 });
		expect(await credits.hold({ ...hold, amount: 5 }).catch(sqlStateOf)).toBe("23505");
		expect([await credits.balance(userId), await credits.available(userId)]).toEqual([10, 4]);
		expect(await credits.spend({ userId, amount: 5 }).catch((error: unknown) => error)).toMatchObject({
			message: "You have 4 credits and need 5.",
			decision: { current: 10, remaining: 4 },
		});
		expect(await tracker.settle(hold.holdId, { amount: 3, userId })).toMatchObject({
			allowed: true,
			requested: 3,
			current: 7,
			remaining: 7,
		});
		expect(await credits.available(userId)).toBe(7);
		await credits.hold({ userId, amount: 7, holdId: `${name} other` });
		expect(await tracker.release(`${name} other`)).toBe(true);
		expect(await credits.available(userId)).toBe(7);
	});

	test("what a transaction spends is given back with it", async () => {
		const userId = user("rolls back");
		await credits.grant({ userId, amount: 10 });
		const failing = transaction(async (tx) => {
			await credits.with(tx).spend({ userId, amount: 10 });
			throw new Error("no disk");
		});
		await expect(failing).rejects.toThrow("no disk");
		expect(await credits.balance(userId)).toBe(10);
	});
});

test("usage that costs credits is denied without them, by status 402", async () => {
	const usage = new UsageTracker(database.admin);
	const credits = new UsageCredits(database.admin);
	await database.sql("INSERT INTO credit_costs (usage_type, credits) VALUES ('prompt', 10)");
	await database.sql(`ALTER DATABASE ${database.name} SET usage_limits.credits_enabled = on`);
	await database.sql("SET usage_limits.credits_enabled = on");
	await credits.grant({ userId: "ann", amount: 15 });
	await usage.enforce({ userId: "ann", usageType: "prompt" });
	expect(await credits.balance("ann")).toBe(5);
	expect(await usage.consume({ userId: "ann", usageType: "prompt" })).toMatchObject({
		allowed: false,
		reason: "insufficient_credits",
		limitType: null,
		current: 5,
		limit: 10,
	});
	const denied = await usage.enforce({ userId: "ann", usageType: "prompt" }).catch((error: unknown) => error);
	expect(denied).toMatchObject({ status: 402, message: "You have 5 credits and need 10." });
});
