/**
 * The pages over the demo's data: every number that is read from a page is
 * compared with SQL. PICTURE names the file of README.md's picture.
 */
import type { BrowserContext, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
	card,
	cells,
	choose,
	dashboard,
	database,
	newContext,
	newPage,
	numberOf,
	onSite,
	open,
	page,
	settled,
	tokenOf,
} from "./browser";
import { adminToken, friday, type Row } from "./server";

onSite("dashboard_pages");

describe("signing in", () => {
	it("asks for the token and takes the right one only", async () => {
		await page.goto(`${dashboard.origin}/limits`);
		await page.getByLabel("Token").fill("not the token at all");
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.getByText("This token is not valid.").waitFor();
		await page.getByLabel("Token").fill(adminToken);
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.getByRole("heading", { name: "Limits", level: 1 }).waitFor();
	});

	it("takes it from a link, and takes it out of the address", async () => {
		const other = await newContext();
		const linked = await newPage(other);
		await linked.goto(`${dashboard.origin}/overview#token=${adminToken}`);
		await linked.getByRole("heading", { name: "Overview" }).waitFor();
		expect(linked.url()).not.toContain(adminToken);
		await linked.getByRole("button", { name: "Sign out" }).click();
		await linked.getByRole("heading", { name: "Sign in" }).waitFor();
		await other.close();
	});
});

describe("the overview", () => {
	it("makes a small picture", async () => {
		await open("/overview?days=30");
		await page.locator(".recharts-bar-rectangle").first().waitFor({ state: "attached" });
		await card("Top users").locator("tbody tr").first().waitFor();
		// the time that is set is the test's affair
		await page.getByText("Time is set by").evaluate((text) => text.parentElement?.remove());
		await page.setViewportSize({ width: 1200, height: 930 });
		const image = await page.screenshot(process.env.PICTURE ? { path: process.env.PICTURE } : {});
		expect(image.length).toBeLessThan(150_000);
		await page.setViewportSize({ width: 1280, height: 800 });
	});

	it.each([7, 30, 90, 365])("has the database's numbers for %d days", async (days) => {
		await open("/overview");
		await choose("Range", days === 365 ? "12 months" : `${days} days`);
		await page.waitForURL(`**/overview?days=${days}`);
		await page.waitForLoadState("networkidle");
		await settled();

		const { funnel } = await database.one<{ funnel: Row }>("SELECT usage_funnel($1) AS funnel", [days]);
		for (const stage of ["registered", "createdProject", "generatedScene", "exportedVideo"])
			await expect
				.poll(async () => numberOf(await page.locator(`[data-stage=${stage}] strong`).innerText()), {
					message: stage,
				})
				.toBe(funnel[stage]);

		const top = await database.rows<{ user_id: string; total: number }>(
			"SELECT user_id, total_usage AS total FROM usage_top_users('prompt', $1, 10)",
			[days],
		);
		await card("Top users").getByLabel("Usage type").selectOption("prompt");
		await expect
			.poll(async () =>
				(await cells(card("Top users").locator("table"))).map(([user, total]) => [
					user,
					numberOf(total ?? ""),
				]),
			)
			.toEqual(top.map(({ user_id, total }) => [user_id, total]));

		const rates = await database.rows<Row>("SELECT * FROM usage_error_rates($1, 10)", [days]);
		const shown = await cells(card("Error rates").locator("table"));
		expect(shown.length).toBe(rates.length);
		const sorted = (rows: unknown[][]) => rows.map((row) => JSON.stringify(row)).sort();
		expect(
			sorted(
				shown.map(([, total, failed, rate]) => [
					numberOf(total ?? ""),
					numberOf(failed ?? ""),
					numberOf(rate ?? ""),
				]),
			),
		).toEqual(sorted(rates.map((rate) => [rate.total_events, rate.failed_events, rate.error_rate])));
	});

	it("has every day's number of every type, uses and users, in chart and table", async () => {
		await open("/overview?days=30");
		const trends = card("Trends");
		await trends.locator(".recharts-bar-rectangle").first().waitFor({ state: "attached" });
		await choose("View", "Table");
		for (const [measure, column] of [
			["Uses", "total_count"],
			["Unique users", "unique_users"],
		] as const) {
			await choose("What is shown", measure);
			const expected = await database.rows<{ day: string; usage_type: string; n: number }>(
				`SELECT to_char(date, 'Dy, DD Mon YYYY') AS day, usage_type, ${column} AS n FROM usage_trends(30) WHERE usage_type IS NOT NULL`,
			);
			const header = await trends.locator("thead th").allInnerTexts();
			const types = header.slice(1).map((name) => name.trim().toLowerCase().replaceAll(" ", "_"));
			expect(types).toContain("prompt");
			const rows = await cells(trends.locator("table"));
			expect(rows.length).toBe(30);
			for (const [day = "", ...numbers] of rows)
				for (const [index, type] of types.entries()) {
					const [weekday, date = "", month, year] = day.split(/,? /);
					const name = `${weekday}, ${date.padStart(2, "0")} ${month} ${year}`;
					const found = expected.find((row) => row.day === name && row.usage_type === type);
					expect(numberOf(numbers[index] ?? ""), `${measure} ${name} ${type}`).toBe(found?.n);
				}
		}
		await choose("Grouping", "All together");
		const { n } = await database.one<{ n: number }>(
			"SELECT unique_users AS n FROM usage_trends(1) WHERE usage_type IS NULL",
		);
		expect((await cells(trends.locator("table")))[0]?.[1]).toBe(String(n));
	});

	it("says why there are no alerts", async () => {
		await open("/overview?days=30");
		await card("Alerts").getByText("No thresholds are set").waitFor();
	});

	it("is live", async () => {
		await open("/overview?days=30");
		const registered = async () => numberOf(await page.locator("[data-stage=registered] strong").innerText());
		const before = await registered();
		await database.rows(`
			SELECT usage_set_tier('late.comer', 'free');
			INSERT INTO usage_denials (user_id, limit_type, usage_date, count)
			VALUES ('mia', 'exports_daily', '2026-03-12', 4), ('mia', 'exports_daily', '2026-03-13', 5),
				('tom', 'prompts_daily', '2026-03-01', 2), ('tom', 'prompts_daily', '2025-01-01', 1000);
			WITH a AS (INSERT INTO usage_alerts (percent) VALUES (80) RETURNING id)
			INSERT INTO usage_alert_log (user_id, limit_type, alert_id, current, "limit")
			SELECT u, 'prompts_daily', id, 8, 10 FROM a, unnest('{mia,tom}'::text[]) u`);
		const start = async (name: string) =>
			(await cells(card(name).locator("table"))).map((row) => row.slice(0, 3).join(" "));
		await expect.poll(registered, { timeout: 25_000 }).toBe(before + 1);
		const denials = await database.rows<{ row: string }>(
			`SELECT concat_ws(' ', limit_type, count(DISTINCT user_id), sum(count)) AS row FROM usage_denials
			 WHERE usage_date > '2026-03-13'::date - 30 GROUP BY limit_type ORDER BY sum(count) DESC, limit_type`,
		);
		expect(denials.map(({ row }) => row).join()).toMatch(/exports_daily.*prompts_daily/);
		await expect.poll(() => start("Denials")).toEqual(denials.map(({ row }) => row));
		await card("Denials")
			.getByText(/times by exports_daily/)
			.first()
			.waitFor();
		await expect
			.poll(() => start("Alerts"))
			.toEqual(["tom prompts_daily 80% 8 / 10", "mia prompts_daily 80% 8 / 10"]);
	});
});

describe("limits", () => {
	const consume = (user: string, type: string, amount = 1) =>
		database.one<{ allowed: boolean; reason: string; limit_type: string; limit: number; current: number }>(
			'SELECT allowed, reason, limit_type, "limit", current FROM usage_consume($1, $2, $3)',
			[user, type, amount],
		);
	const edit = async (limit: string) => {
		await page.getByRole("button", { name: `Edit ${limit}` }).click();
		return page.getByRole("dialog");
	};
	const save = async (dialog: Locator) => {
		await dialog.getByRole("button", { name: "Save" }).click();
		await dialog.waitFor({ state: "detached" });
	};

	it("are those of the database", async () => {
		await open("/limits");
		const expected = await database.rows<Row>(
			"SELECT * FROM usage_limits_config ORDER BY usage_type, limit_type",
		);
		const shown = await cells(page.getByRole("table", { name: "Limits" }));
		expect(shown.length).toBe(expected.length);
		const value = (text = "") =>
			text.startsWith("Unlimited")
				? -1
				: text.startsWith("Blocked")
					? 0
					: numberOf(text.split("\n")[0] ?? "");
		for (const [index, limit] of expected.entries()) {
			const [name, free, pro, team, enterprise] = shown[index] ?? [];
			expect(name).toContain(limit.limit_type);
			// the pro tier's value of one limit is replaced for some days
			const proValue = limit.limit_type === "exports_daily" ? 40 : limit.pro_tier_limit;
			expect([value(free), value(pro), value(team), value(enterprise)], String(name)).toEqual([
				limit.free_tier_limit,
				proValue,
				limit.team_tier_limit,
				limit.enterprise_tier_limit,
			]);
		}
		await page.getByText("instead of 25").waitFor();
	});

	it("say what is wrong with a value, and keep the old one", async () => {
		await open("/limits");
		const dialog = await edit("prompts_daily");
		await dialog.getByLabel("Free", { exact: true }).fill("ten");
		await dialog.getByRole("button", { name: "Save" }).click();
		await dialog.getByText("A whole number, 0 or more.").waitFor();
		expect(
			await dialog.getByLabel("Free", { exact: true }).evaluate((field) => field === document.activeElement),
		).toBe(true);
		await page.keyboard.press("Escape");
		await dialog.waitFor({ state: "detached" });
		expect(
			await page
				.getByRole("button", { name: "Edit prompts_daily" })
				.evaluate((field) => field === document.activeElement),
		).toBe(true);
		expect(
			(
				await database.one(
					"SELECT free_tier_limit AS v FROM usage_limits_config WHERE limit_type = 'prompts_daily'",
				)
			).v,
		).toBe(10);
	});

	it("tell beforehand who would have been denied", async () => {
		await open("/limits");
		const dialog = await edit("exports_daily");
		await dialog.getByText("Change a value to see whom it would have stopped.").waitFor();
		await dialog.getByLabel("Free", { exact: true }).fill("1");
		for (const days of [7, 30]) {
			await choose("Look back", `${days} days`);
			const expected = await database.one<{ users: number; denials: number }>(
				"SELECT count(*) AS users, sum(would_deny)::bigint AS denials FROM usage_preview('exports_daily', 1, 'free', $1)",
				[days],
			);
			expect(expected.users).toBeGreaterThan(8);
			await expect
				.poll(() => dialog.locator("[data-preview=free]").innerText())
				.toBe(`${expected.users} users, ${expected.denials} denials in the last ${days} days`);
		}
		const most = await database.rows<{ user_id: string }>(
			"SELECT user_id FROM usage_preview('exports_daily', 1, 'free', 30) ORDER BY would_deny DESC, 1 LIMIT 8",
		);
		expect(await dialog.locator(".preview-tier a").allInnerTexts()).toEqual(
			most.map(({ user_id }) => user_id),
		);
		await dialog.getByLabel("Free", { exact: true }).fill("100");
		await dialog.getByText("Nobody in the last 30 days.").waitFor();
		await page.keyboard.press("Escape");
	});

	it("deny the next consume when one is lowered", async () => {
		await database.rows("SELECT usage_set_tier('nina', 'free')");
		expect(await consume("nina", "web_agent", 3)).toMatchObject({ allowed: true });
		await open("/limits");
		const dialog = await edit("web_agent_daily");
		await dialog.getByLabel("Free", { exact: true }).fill("3");
		await dialog.getByText("was 8").waitFor();
		await save(dialog);
		await page.getByText("web_agent_daily is changed.").waitFor();
		expect(await consume("nina", "web_agent")).toEqual({
			allowed: false,
			reason: "limit_exceeded",
			limit_type: "web_agent_daily",
			limit: 3,
			current: 3,
		});
	});

	it("only report in shadow mode, and are gone when turned off", async () => {
		let dialog = await edit("web_agent_daily");
		await dialog.getByText("Shadow", { exact: true }).click();
		await save(dialog);
		expect(await consume("nina", "web_agent")).toMatchObject({ allowed: true, reason: "shadow", current: 4 });
		dialog = await edit("web_agent_daily");
		await dialog.getByRole("switch").click({ force: true });
		await save(dialog);
		expect(await consume("nina", "web_agent")).toMatchObject({ allowed: true, reason: "no_limit" });
	});

	it("keep the history of who changed what", async () => {
		await choose("View", "History");
		const table = page.getByRole("table", { name: "Changes of limits and overrides" });
		await table.locator("tbody tr").first().waitFor();
		const expected = await database.rows<{ id: number; changed_by: string }>(
			"SELECT id, changed_by FROM usage_config_log WHERE table_name <> 'user_subscriptions' ORDER BY id DESC LIMIT 50",
		);
		const shown = await cells(table);
		expect(
			await table
				.locator("tbody tr")
				.evaluateAll((rows) => rows.map((row) => Number(row.getAttribute("data-row")))),
		).toEqual(expected.map(({ id }) => id));
		expect(shown[0]?.[1]).toBe("dashboard_pages");
		expect(shown.slice(0, 3).map((row) => row[4])).toEqual([
			"Is active true → false",
			"Enforcement hard → shadow",
			"Free 8 → 3",
		]);
		expect(shown.map((row) => row[1])).toEqual(expected.map(({ changed_by }) => changed_by));
	});

	it("are made anew, with what the name says", async () => {
		await open("/limits");
		await page.getByRole("button", { name: "New limit" }).click();
		const dialog = page.getByRole("dialog");
		await dialog.getByLabel("Name").fill("voice_calls_daily");
		await dialog.getByLabel("Free", { exact: true }).fill("2");
		await dialog.getByRole("button", { name: "Create" }).click();
		await dialog.waitFor({ state: "detached" });
		await page.getByText("voice_calls_daily limits voice_call from now on.").waitFor();
		expect(
			await database.one(
				"SELECT usage_type, free_tier_limit, pro_tier_limit FROM usage_limits_config WHERE limit_type = 'voice_calls_daily'",
			),
		).toEqual({ usage_type: "voice_call", free_tier_limit: 2, pro_tier_limit: -1 });
		await page.getByRole("button", { name: "Edit voice_calls_daily" }).waitFor();
	});
});

describe("users", () => {
	let user: string;
	beforeAll(async () => {
		user = String(
			(await database.one("SELECT user_id FROM usage_limit_overrides WHERE user_id IS NOT NULL LIMIT 1"))
				.user_id,
		);
	});

	it("come in pages", async () => {
		await open("/users");
		const table = page.getByRole("table", { name: "Users" });
		const expected = await database.rows<{ user_id: string; tier: string }>(
			"SELECT user_id, tier FROM usage_users(max_rows => 100)",
		);
		expect(await table.locator("tbody tr").count()).toBe(50);
		await page.getByRole("button", { name: "More users" }).click();
		await expect.poll(() => table.locator("tbody tr").count()).toBe(100);
		expect((await cells(table)).map(([id, tier]) => [id, tier?.toLowerCase()])).toEqual(
			expected.map(({ user_id, tier }) => [user_id, tier]),
		);
	});

	it("are found by how their id starts", async () => {
		await open("/users");
		await page.getByRole("searchbox").fill(user.slice(0, 6));
		const expected = await database.rows<{ user_id: string }>("SELECT user_id FROM usage_users($1)", [
			user.slice(0, 6),
		]);
		const table = page.getByRole("table", { name: "Users" });
		await expect
			.poll(async () => (await cells(table)).map(([id]) => id))
			.toEqual(expected.map(({ user_id }) => user_id));
		await table.getByRole("link", { name: user, exact: true }).click();
		await page.getByRole("heading", { name: user, level: 1 }).waitFor();
		await open("/users?search=nobody-at-all");
		await page.getByText("No user id starts like that").waitFor();
	});

	it("have every limit with its bar", async () => {
		await open(`/users/${encodeURIComponent(user)}`);
		const expected = await database.rows<{ limit_type: string; current: number; limit: number }>(
			'SELECT limit_type, current, "limit" FROM usage_status($1) ORDER BY 1',
			[user],
		);
		const meters = page.locator("[data-limit]");
		expect(await meters.count()).toBe(expected.length);
		for (const { limit_type, current, limit } of expected) {
			const meter = page.locator(`[data-limit=${limit_type}]`);
			const [used, of] = (await meter.locator(".meter-value").innerText()).split("/");
			expect([numberOf(used ?? ""), of?.trim() === "∞" ? -1 : numberOf(of ?? "")], limit_type).toEqual([
				current,
				limit,
			]);
			if (limit === -1) continue;
			const bar = meter.getByRole("progressbar");
			expect(Number(await bar.getAttribute("aria-valuenow"))).toBe(Math.min(current, limit));
			expect(Number(await bar.getAttribute("aria-valuemax"))).toBe(limit);
			const share = await bar.evaluate(
				(track) =>
					(track.firstElementChild?.getBoundingClientRect().width ?? 0) / track.getBoundingClientRect().width,
			);
			expect(share, limit_type).toBeCloseTo(limit === 0 ? 1 : Math.min(1, current / limit), 1);
		}
	});

	it("are told why they are denied", async () => {
		await database.rows("SELECT usage_set_tier('otto', 'free'), usage_track('otto', 'export', 3)");
		await open("/users/otto");
		await page.getByLabel("Usage type").selectOption("export");
		await page.getByRole("button", { name: "Explain" }).click();
		const decision = page.locator("[data-allowed]");
		await decision.waitFor();
		expect(await decision.getAttribute("data-allowed")).toBe("false");
		expect(await decision.innerText()).toMatch(
			/^Denied by exports_daily: limit reached\. It would be admitted in 4 h, at 14 Mar 2026, 00:00\.$/,
		);
		const expected = await database.rows<Row>("SELECT * FROM usage_explain('otto', 'export')");
		const shown = await cells(page.getByRole("table", { name: "What each limit says" }));
		expect(
			shown.map(([limit, , current, value]) => [limit, numberOf(current ?? ""), numberOf(value ?? "")]),
		).toEqual(expected.map((row) => [row.limit_type, row.current, row.value]));
		await page.getByLabel("Amount").fill("0");
		await page.getByRole("button", { name: "Explain" }).click();
		await page.locator("[data-allowed=true]").waitFor();
		expect((await database.one("SELECT count(*) AS n FROM usage_events WHERE user_id = 'otto'")).n).toBe(1);
	});

	it("get overrides for a time, and lose them", async () => {
		await open("/users/otto?view=overrides");
		await page.getByText("No overrides").waitFor();
		await page.getByRole("button", { name: "Add override" }).click();
		const dialog = page.getByRole("dialog");
		await dialog.getByLabel("Limit", { exact: true }).selectOption("exports_daily");
		await dialog.getByRole("button", { name: "Add" }).click();
		await dialog.getByText("Give a number, or choose unlimited.").waitFor();
		await dialog.getByLabel("Value").fill("9");
		await dialog.getByLabel("Until").fill("2026-03-20T12:00");
		await dialog.getByLabel("Reason").fill("a test");
		await dialog.getByRole("button", { name: "Add" }).click();
		await dialog.waitFor({ state: "detached" });
		expect(
			await database.one(
				"SELECT limit_value, expires_at = '2026-03-20 12:00+00' AS until, reason FROM usage_limit_overrides WHERE user_id = 'otto'",
			),
		).toEqual({
			limit_value: 9,
			until: true,
			reason: "a test",
		});
		expect(
			await database.one(
				`SELECT "limit", source FROM usage_status('otto') WHERE limit_type = 'exports_daily'`,
			),
		).toEqual({
			limit: 9,
			source: "user_override",
		});
		const [shown] = await cells(page.getByRole("table", { name: "Overrides" }));
		expect(shown?.slice(0, 3)).toEqual(["exports_daily", "9", "In force"]);
		expect(shown?.[4]).toContain("in 6 d 16 h");
		await page.getByRole("button", { name: "End the override of exports_daily" }).click();
		await page.getByRole("dialog").getByRole("button", { name: "End it" }).click();
		await page.getByText("No overrides").waitFor();
		expect(
			(await database.one("SELECT count(*) AS n FROM usage_limit_overrides WHERE user_id = 'otto'")).n,
		).toBe(0);
	});

	it("change their tier", async () => {
		await open("/users/otto");
		await page.getByRole("button", { name: "Change tier" }).click();
		const dialog = page.getByRole("dialog");
		await dialog.getByLabel("Tier").selectOption("team");
		await dialog.getByRole("button", { name: "Change", exact: true }).click();
		await dialog.waitFor({ state: "detached" });
		expect(await database.one("SELECT tier, status FROM user_subscriptions WHERE user_id = 'otto'")).toEqual({
			tier: "team",
			status: "active",
		});
		await expect
			.poll(() => page.locator("[data-limit=exports_daily] .meter-value").innerText())
			.toMatch(/^3\s*\/\s*∞$/);
	});

	it("have their events in pages, and their days", async () => {
		const { user_id: busy, n } = await database.one<{ user_id: string; n: number }>(
			"SELECT user_id, count(*) AS n FROM usage_events GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1",
		);
		await open(`/users/${encodeURIComponent(busy)}?view=activity`);
		const events = page.getByRole("table", { name: "Events" });
		const more = page.getByRole("button", { name: "Older events" });
		await expect.poll(() => events.locator("tbody tr").count()).toBe(Math.min(50, n));
		for (let shown = 50; shown < n; shown += 50) {
			await more.click();
			await expect.poll(() => events.locator("tbody tr").count()).toBe(Math.min(shown + 50, n));
		}
		expect(await more.count()).toBe(0);
		const ids = await events
			.locator("tbody tr")
			.evaluateAll((rows) => rows.map((row) => Number(row.getAttribute("data-row"))));
		const expected = await database.rows<{ id: number }>(
			"SELECT id FROM usage_events WHERE user_id = $1 ORDER BY created_at DESC, id DESC",
			[busy],
		);
		expect(ids).toEqual(expected.map(({ id }) => id));

		await choose("View", "Table", page);
		const { daily } = await database.one<{ daily: Record<string, Record<string, number>> }>(
			"SELECT usage_stats($1, 30) -> 'daily' AS daily",
			[busy],
		);
		const days = page.getByRole("table", { name: "Use by day" });
		const names = (await days.locator("thead th").allInnerTexts())
			.slice(1)
			.map((name) => name.toLowerCase().replaceAll(" ", "_"));
		const sums = Object.fromEntries(names.map((name) => [name, 0]));
		for (const [, ...numbers] of await cells(days))
			for (const [index, name] of names.entries())
				sums[name] = (sums[name] ?? 0) + numberOf(numbers[index] ?? "");
		const totals: Record<string, number> = {};
		for (const types of Object.values(daily))
			for (const [type, count] of Object.entries(types)) totals[type] = (totals[type] ?? 0) + count;
		expect(sums).toEqual(totals);
	});

	it("may have any id", async () => {
		const odd = `a/b ?c#d%2F"é<b>`;
		await database.rows("SELECT usage_track($1, 'prompt', 4)", [odd]);
		await open(`/users?search=${encodeURIComponent("a/b")}`);
		await page.getByRole("link", { name: odd, exact: true }).click();
		await page.getByRole("heading", { name: odd, level: 1 }).waitFor();
		await expect
			.poll(() => page.locator("[data-limit=prompts_daily] .meter-value").innerText())
			.toMatch(/^4\s*\/\s*10$/);
		await page.reload();
		await page.getByRole("heading", { name: odd, level: 1 }).waitFor();
	});
});

describe("a user's own page", () => {
	let own: BrowserContext;
	let mine: Page;
	beforeAll(async () => {
		await database.rows(
			"SELECT usage_set_tier('ann', 'free', time_zone => 'UTC'), usage_track('ann', 'prompt', 7), usage_track('ann', 'export', 3)",
		);
		own = await newContext();
		mine = await newPage(own);
		await mine.goto(`${dashboard.origin}/me#token=${tokenOf("ann")}`);
		await mine.getByRole("heading", { name: "Your usage" }).waitFor();
		await settled(mine);
	});
	afterAll(async () => {
		await own.close();
		await database.setClock(friday);
	});

	const value = (limit: string) => mine.locator(`[data-limit=${limit}] .meter-value`).innerText();

	it("shows the user's limits and history", async () => {
		expect(mine.url()).not.toContain("token");
		expect(await value("prompts_daily")).toMatch(/^7\s*\/\s*10$/);
		expect(await value("exports_daily")).toMatch(/^3\s*\/\s*3$/);
		const events = await cells(mine.getByRole("table", { name: "Events" }));
		expect(events.map((row) => [row[1], row[3]])).toEqual([
			["Export", "3"],
			["Prompt", "7"],
		]);
		await choose("View", "Table", mine);
		expect((await cells(mine.getByRole("table", { name: "Use by day" })))[0]).toEqual([
			"Fri, 13 Mar 2026",
			"7",
			"3",
		]);
	});

	it("is all that the user can open", async () => {
		for (const path of ["/overview", "/limits", "/users", "/users/otto"]) {
			await mine.goto(dashboard.origin + path);
			await mine.getByText("This page is for administrators").waitFor();
		}
		await mine.goto(`${dashboard.origin}/me?as=otto`);
		await mine.getByText("ann", { exact: true }).waitFor();
		await settled(mine);
		expect(await value("exports_daily")).toMatch(/^3\s*\/\s*3$/);
	});

	it("resets when midnight passes, by itself", async () => {
		await database.setClock("2026-03-13 23:59:57+00");
		await open("/me", mine);
		expect(await value("prompts_daily")).toMatch(/^7\s*\/\s*10$/);
		await mine
			.locator("[data-limit=prompts_daily]")
			.getByText(/Resets in [123] s/)
			.waitFor();
		await database.setClock("2026-03-14 00:00:00+00");
		await expect.poll(() => value("prompts_daily"), { timeout: 20_000 }).toMatch(/^0\s*\/\s*10$/);
		expect(await value("exports_daily")).toMatch(/^0\s*\/\s*3$/);
		expect(await value("exports_monthly")).toMatch(/^3\s*\/\s*10$/);
	});
});
