/** Holds, credits, alerts and denials, on the pages that show them. */
import { describe, expect, it } from "vitest";
import { card, cells, database, numberOf, onSite, open, page, signIn } from "./browser";

onSite("dashboard_parts");

/** How long the overview may show what was before. */
const live = { timeout: 25_000 };

const meterOf = (limit: string) => page.locator(`[data-limit=${limit}] .meter-value`);

describe("holds", () => {
	it("of the demo count in their limit", async () => {
		await signIn();
		const { user_id, n } = await database.one<{ user_id: string; n: number }>(
			`SELECT user_id, count(*) AS n FROM usage_open_holds
			 WHERE usage_type = (SELECT usage_type FROM usage_limits_config WHERE limit_type = 'concurrent_renders')
			 GROUP BY 1 ORDER BY 1 LIMIT 1`,
		);
		await open(`/users/${encodeURIComponent(user_id)}`);
		await expect.poll(() => meterOf("concurrent_renders").innerText()).toMatch(new RegExp(`^${n}\\s*/`));
	});

	it("are shown while they are open, and released", async () => {
		const { usage_type } = await database.one<{ usage_type: string }>(
			"SELECT usage_type FROM usage_limits_config WHERE limit_type = 'concurrent_renders'",
		);
		await database.rows("SELECT usage_set_tier('hal', 'pro')");
		await database.rows(
			"SELECT usage_hold('hal', $1, hold_id => 'first', ttl => '1 hour'), usage_hold('hal', 'prompt', 2, hold_id => 'second')",
			[usage_type],
		);
		await open("/users/hal");
		const table = page.getByRole("table", { name: "Open holds" });
		await expect
			.poll(async () => (await cells(table)).map((row) => [row[0], row[2]]))
			.toEqual(
				expect.arrayContaining([
					["first", "1"],
					["second", "2"],
				]),
			);
		expect(await meterOf("concurrent_renders").innerText()).toMatch(/^1\s*\//);
		await page.getByRole("button", { name: "Release first" }).click();
		await page.getByText("The hold is released.").waitFor();
		await expect.poll(async () => (await cells(table)).map((row) => row[0])).toEqual(["second"]);
		expect(await database.rows("SELECT hold_id FROM usage_open_holds WHERE user_id = 'hal'")).toEqual([
			{ hold_id: "second" },
		]);
		await expect.poll(() => meterOf("concurrent_renders").innerText()).toMatch(/^0\s*\//);
	});
});

it("holds of credits are among the open holds", async () => {
	await database.rows("SELECT credit_grant('chris', 100)");
	await database.rows("SELECT credit_hold('chris', 30, hold_id => 'a film')");
	await open("/users/chris");
	const table = page.getByRole("table", { name: "Open holds" });
	await expect
		.poll(async () => (await cells(table)).map((row) => row.slice(0, 3)))
		.toEqual([["a film", "Credits", "30"]]);
	await page.getByRole("button", { name: "Release a film" }).click();
	await page.getByText("No open holds").waitFor();
	expect(await database.rows("SELECT 1 FROM usage_open_holds WHERE user_id = 'chris'")).toEqual([]);
});

/** Amount and balance of each line, the newest first. */
const statement = async (user: string) =>
	(
		await database.rows<{ amount: number | null; balance: number }>(
			"SELECT amount, balance FROM credit_statement($1, usage_now() - interval '30 days')",
			[user],
		)
	)
		.map(({ amount, balance }) => [amount, balance])
		.reverse();
const shownStatement = async () =>
	(await cells(page.getByRole("table", { name: "Statement" }))).map((row) => [
		row[3] ? numberOf(row[3]) : null,
		numberOf(row[4] ?? ""),
	]);

describe("credits", () => {
	it("are the ledger's, and can be granted", async () => {
		await database.rows("SELECT credit_grant('cleo', 500, description => 'a pack')");
		await database.rows("SELECT credit_spend('cleo', 120, description => 'a film')");
		await open("/users/cleo?view=credits");
		const balance = async () => numberOf(await card("Credits").locator(".balance strong").innerText());
		await expect.poll(balance).toBe(380);
		await page.getByRole("button", { name: "Grant credits" }).click();
		const dialog = page.getByRole("dialog");
		await dialog.getByRole("button", { name: "Grant", exact: true }).click();
		await dialog.getByText("A whole number, 1 or more.").waitFor();
		await dialog.getByLabel("Amount").fill("50");
		await dialog.getByLabel("Description").fill("sorry");
		await dialog.getByRole("button", { name: "Grant", exact: true }).click();
		await dialog.waitFor({ state: "detached" });
		await expect.poll(balance).toBe(430);
		expect((await database.one("SELECT credit_balance('cleo') AS balance")).balance).toBe(430);

		const grants = await database.rows<{ remaining: number; amount: number }>(
			"SELECT remaining, amount FROM credit_grants('cleo') WHERE state = 'live'",
		);
		await expect
			.poll(async () =>
				(await cells(page.getByRole("table", { name: "Grants" }))).map((row) => [
					numberOf(row[1] ?? ""),
					numberOf(row[2] ?? ""),
				]),
			)
			.toEqual(grants.map(({ remaining, amount }) => [remaining, amount]));

		const lines = await statement("cleo");
		expect(lines.length).toBe(5);
		await expect.poll(shownStatement).toEqual(lines);

		await open("/me?as=cleo");
		await expect.poll(balance).toBe(430);
	});

	it("have a statement that comes in pages", async () => {
		await database.rows("SELECT credit_grant('carl', 2000)");
		await database.rows("SELECT credit_spend('carl', n) FROM generate_series(1, 60) n");
		await open("/users/carl?view=credits");
		const lines = await statement("carl");
		expect(lines.length).toBe(63);
		await expect.poll(shownStatement).toEqual(lines.slice(0, 50));
		const more = page.getByRole("button", { name: "Older lines" });
		await more.click();
		await expect.poll(shownStatement).toEqual(lines);
		expect(await more.count()).toBe(0);
	});
});

describe("alerts", () => {
	it("are those that use has made", async () => {
		await database.rows("INSERT INTO usage_alerts (limit_type, percent) VALUES ('prompts_daily', 80)");
		await database.rows("SELECT usage_set_tier('alma', 'free')");
		await database.rows("SELECT usage_consume('alma', 'prompt', 9)");
		await database.rows("SELECT usage_maintain()");
		const made = await database.rows<{ user_id: string; current: number; limit: number }>(
			`SELECT user_id, current, "limit" FROM usage_alert_log ORDER BY id DESC LIMIT 20`,
		);
		expect(made).toContainEqual({ user_id: "alma", current: 9, limit: 10 });
		await open("/overview?days=7");
		await expect
			.poll(async () => (await cells(card("Alerts").locator("table"))).map((row) => [row[0], row[2]]), live)
			.toEqual(made.map(({ user_id, current, limit }) => [user_id, `${current} / ${limit}`]));
	});
});

describe("denials", () => {
	it("are counted where the library is preloaded", async () => {
		await database.rows("SELECT usage_set_tier('dora', 'free')");
		for (let request = 0; request < 5; request++)
			await database.rows("SELECT usage_consume('dora', 'export')");
		await database.rows("SELECT usage_maintain()");
		const { count } = await database.one(
			"SELECT sum(count)::bigint AS count FROM usage_denials WHERE user_id = 'dora'",
		);
		expect(count).toBe(2);
		await open("/overview?days=7");
		const expected = await database.rows<{ limit_type: string; count: number }>(
			"SELECT limit_type, sum(count)::bigint AS count FROM usage_denials GROUP BY 1 ORDER BY 2 DESC, 1",
		);
		expect(expected.length).toBeGreaterThan(0);
		await expect
			.poll(
				async () =>
					(await cells(card("Denials").locator("table"))).map((row) => [row[0], numberOf(row[2] ?? "")]),
				live,
			)
			.toEqual(expected.map(({ limit_type, count }) => [limit_type, count]));
	});
});
