/** The server without a browser: who gets in, what gets out. */
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signUserToken } from "../src/server/auth";
import { adminToken, Dashboard, friday, password, TestDatabase, userSecret } from "./server";

let database: TestDatabase;
let dashboard: Dashboard;
let open: Dashboard;

const admin = { Authorization: `Bearer ${adminToken}` };
const tokenOf = (userId: string) => ({
	Authorization: `Bearer ${signUserToken({ userId, secret: userSecret, hours: 1 })}`,
});

beforeAll(async () => {
	// a schema whose name needs its quotes
	database = await TestDatabase.create("dashboard_server", 'odd "$& schema');
	await database.setClock(friday);
	await database.role("dashboard_admin", "admin");
	await database.role("dashboard_reader", "reader");
	await database.role("dashboard_nobody");
	await database.rows(
		"SELECT usage_install_defaults(), usage_set_tier('ann', 'pro'), usage_set_tier('bob', 'free')",
	);
	await database.rows("SELECT usage_track('ann', 'prompt', 7), usage_track('bob', 'prompt', 3)");
	dashboard = await Dashboard.start(database.url("dashboard_admin"), [
		"--token-file",
		"{token}",
		"--user-secret-file",
		"{secret}",
		"--user-header",
		"X-Forwarded-User",
	]);
	open = await Dashboard.start(database.url("dashboard_admin"));
});

afterAll(async () => {
	await dashboard?.stop();
	await open?.stop();
	await database?.close();
});

it("is installed with all that it imports", () => {
	const folder = new URL("..", import.meta.url);
	const read = (path: string) => readFileSync(new URL(path, folder), "utf8");
	const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
	const imported = [...read("dist/server/cli.js").matchAll(/^import .*from "((?:@[^/"]+\/)?[^/"]+)/gm)]
		.map(([, name = ""]) => name)
		.filter((name) => !name.startsWith("node:"));
	expect([...new Set(imported)].sort()).toEqual(Object.keys(dependencies).sort());
});

/** With headers that fetch does not let one set. */
function raw(
	origin: string,
	path: string,
	headers: Record<string, string>,
	method = "GET",
	body = "",
): Promise<number> {
	const { port } = new URL(origin);
	return new Promise((resolve, reject) => {
		const sent = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
			response.resume();
			resolve(response.statusCode ?? 0);
		});
		sent.on("error", reject);
		sent.end(body);
	});
}

const everything: [string, unknown][] = [
	["overview.funnel", { days: 30 }],
	["overview.trends", { days: 30 }],
	["overview.topUsers", { usageType: "prompt", days: 30, rows: 10 }],
	["overview.errorRates", { days: 30, minEvents: 1 }],
	["overview.denials", { days: 30 }],
	["overview.alerts", { rows: 10 }],
	["overview.findings", undefined],
	["limits.list", undefined],
	["limits.history", { rows: 10 }],
	["users.list", { search: "", rows: 10 }],
	["users.get", { userId: "ann" }],
	["users.explain", { userId: "ann", usageType: "prompt", amount: 1 }],
	["users.stats", { userId: "ann", days: 30 }],
	["users.events", { userId: "ann", rows: 10 }],
	["users.overrides", { userId: "ann" }],
	["users.holds", { userId: "ann" }],
	["users.credits", { userId: "ann" }],
	["users.statement", { userId: "ann", days: 30, rows: 10 }],
	["limits.preview", { limitType: "prompts_daily", value: 1, tier: null, days: 30 }],
];

describe("who gets in", () => {
	it("answers an administrator everything, from a schema with an odd name", async () => {
		for (const [procedure, input] of everything)
			expect((await dashboard.call(procedure, input, admin)).status, procedure).toBe(200);
	});

	it("answers nobody nothing", async () => {
		for (const [procedure, input] of everything)
			expect((await dashboard.call(procedure, input)).status, procedure).toBe(401);
		expect(await dashboard.ask("session.get", undefined)).toEqual({
			role: null,
			userId: null,
			needsToken: true,
			installed: null,
			server: null,
		});
	});

	it("answers a wrong, a longer and an empty token nothing", async () => {
		for (const token of ["wrong", `${adminToken}x`, adminToken.slice(1), "a.b.c"]) {
			const headers = { Authorization: `Bearer ${token}` };
			expect((await dashboard.call("limits.list", undefined, headers)).status).toBe(401);
		}
	});

	it("gives a session to whoever has the token, until it is given back", async () => {
		const login = await fetch(`${dashboard.origin}/api/login`, {
			method: "POST",
			headers: { "Content-Type": "application/json" },
			body: JSON.stringify({ token: adminToken }),
		});
		const cookie = login.headers.get("set-cookie") ?? "";
		expect(cookie).toMatch(/^usage_dashboard=[^;]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
		expect(cookie).not.toContain(adminToken);
		const Cookie = cookie.split(";")[0] ?? "";
		expect((await dashboard.call("limits.list", undefined, { Cookie })).status).toBe(200);
		expect((await dashboard.call("limits.list", undefined, { Cookie: `${Cookie}x` })).status).toBe(401);
		// a session of another process is none of ours
		expect(
			(await dashboard.call("limits.list", undefined, { Cookie: Cookie.replace(/\..*/, ".x") })).status,
		).toBe(401);
	});

	it("refuses a wrong login", async () => {
		for (const body of ['{"token":"wrong"}', '{"token":1}', "{}", "nonsense", ""]) {
			const answer = await fetch(`${dashboard.origin}/api/login`, {
				method: "POST",
				headers: { "Content-Type": "application/json" },
				body,
			});
			expect(answer.status).toBe(401);
			expect(answer.headers.get("set-cookie")).toBeNull();
		}
	});
});

describe("a user", () => {
	it("sees himself and nobody else", async () => {
		const limits = await dashboard.ask<{ userId: string; tier: string }>("me.limits", {}, tokenOf("ann"));
		expect(limits).toMatchObject({ userId: "ann", tier: "pro" });
		// "as" is for administrators
		expect(await dashboard.ask("me.limits", { as: "bob" }, tokenOf("ann"))).toMatchObject({ userId: "ann" });
		expect(await dashboard.ask("me.limits", { as: "bob" }, admin)).toMatchObject({ userId: "bob" });
		expect((await dashboard.call("me.limits", {}, admin)).status).toBe(400);
		for (const [procedure, input] of everything)
			expect((await dashboard.call(procedure, input, tokenOf("ann"))).status, procedure).toBe(403);
	});

	it("comes through a proxy that is trusted, which an administrator's token outranks", async () => {
		expect(await dashboard.ask("me.limits", {}, { "X-Forwarded-User": "bob" })).toMatchObject({
			userId: "bob",
		});
		expect((await dashboard.call("limits.list", undefined, { "X-Forwarded-User": "bob" })).status).toBe(403);
		expect(
			(await dashboard.call("limits.list", undefined, { ...admin, "X-Forwarded-User": "bob" })).status,
		).toBe(200);
		const elsewhere = await Dashboard.start(database.url("dashboard_admin"), [
			"--token-file",
			"{token}",
			"--user-header",
			"X-Forwarded-User",
			"--trusted-proxy",
			"10.0.0.0/8",
		]);
		expect((await elsewhere.call("me.limits", {}, { "X-Forwarded-User": "bob" })).status).toBe(401);
		await elsewhere.stop();
	});

	it("changes nothing", async () => {
		const input = { userId: "ann", tier: "enterprise", status: "active", expiresAt: null };
		expect((await dashboard.call("users.setTier", input, tokenOf("ann"))).status).toBe(403);
		expect(await database.one("SELECT tier FROM user_subscriptions WHERE user_id = 'ann'")).toEqual({
			tier: "pro",
		});
	});
});

describe("other sites", () => {
	const body = JSON.stringify({ userId: "ann", tier: "team", status: "active", expiresAt: null });
	const post = (headers: Record<string, string>) =>
		raw(open.origin, "/api/trpc/users.setTier", headers, "POST", body);

	it("cannot make a browser change anything", async () => {
		expect(await post({ "Content-Type": "text/plain" })).toBe(403);
		expect(await post({ "Content-Type": "application/x-www-form-urlencoded" })).toBe(403);
		expect(await post({})).toBe(403);
		expect(await post({ "Content-Type": "application/json", Origin: "https://evil.example" })).toBe(403);
		expect(await post({ "Content-Type": "application/json", Origin: "null" })).toBe(403);
		expect(await post({ "Content-Type": "application/json", "Sec-Fetch-Site": "cross-site" })).toBe(403);
		expect(await post({ "Content-Type": "application/json", "Sec-Fetch-Site": "same-site" })).toBe(403);
		expect(await raw(open.origin, `/api/trpc/users.setTier?input=${encodeURIComponent(body)}`, {})).toBe(405);
		expect(await database.one("SELECT tier FROM user_subscriptions WHERE user_id = 'ann'")).toEqual({
			tier: "pro",
		});
	});

	it("cannot give their own name to this machine", async () => {
		expect(await raw(open.origin, "/api/trpc/limits.list", { Host: "evil.example" })).toBe(421);
		expect(await raw(open.origin, "/", { Host: "evil.example:80" })).toBe(421);
		expect(await raw(open.origin, "/api/trpc/limits.list", { Host: "localhost:1" })).toBe(200);
		expect(await raw(open.origin, "/api/trpc/limits.list", { Host: "[::1]:1" })).toBe(200);
	});

	it("get no permission to read, no frame and no script of theirs in", async () => {
		const page = await fetch(`${open.origin}/overview`);
		expect(page.headers.get("access-control-allow-origin")).toBeNull();
		expect(page.headers.get("content-security-policy")).toMatch(
			/default-src 'none'; script-src 'self';.*frame-ancestors 'none'/,
		);
		expect(page.headers.get("x-frame-options")).toBe("DENY");
		expect(page.headers.get("x-content-type-options")).toBe("nosniff");
		expect(page.headers.get("referrer-policy")).toBe("no-referrer");
		const answer = await open.call("limits.list", undefined);
		expect(answer.headers.get("cache-control")).toBe("no-store");
		expect(answer.headers.get("access-control-allow-origin")).toBeNull();
	});
});

describe("what is refused", () => {
	it.each([
		["users.get", { userId: "" }],
		["users.get", { userId: "é".repeat(128) }],
		["users.get", { userId: "a\0b" }],
		["overview.funnel", { days: 0 }],
		["overview.funnel", { days: 3651 }],
		["overview.topUsers", { usageType: "prompt", days: 1, rows: 201 }],
		["users.events", { userId: "ann", rows: 10, cursor: { createdAt: "yesterday", id: "1" } }],
		["users.explain", { userId: "ann", usageType: "prompts_daily", amount: 1 }],
		["users.explain", { userId: "ann", usageType: "prompt", amount: -1 }],
	])("%s %j", async (procedure, input) => {
		expect((await open.call(procedure, input)).status).toBe(400);
	});

	it("takes names with quotes for names", async () => {
		const userId = `'; DROP TABLE x; -- @. "`;
		expect(await open.ask("users.get", { userId })).toMatchObject({
			userId,
			tier: "free",
			subscription: null,
		});
		expect(await open.ask("users.list", { search: userId, rows: 10 })).toEqual({ users: [], next: null });
	});

	it("a body that is too large", async () => {
		expect((await open.call("users.list", { search: "x".repeat(300_000), rows: 1 })).status).toBe(413);
	});
});

describe("the database's role", () => {
	it("may be one that only reads: the page knows what it cannot do", async () => {
		const reader = await Dashboard.start(database.url("dashboard_reader"));
		const session = await reader.ask<{ server: { can: Record<string, unknown> } }>("session.get", undefined);
		expect(session.server.can).toMatchObject({
			setLimits: false,
			setTier: false,
			setOverrides: false,
			history: false,
			events: "newest",
		});
		expect(await reader.ask("overview.funnel", { days: 7 })).toMatchObject({
			registered: 2,
			generatedScene: 2,
		});
		expect(await reader.ask("users.events", { userId: "ann", rows: 10 })).toMatchObject({
			complete: false,
			events: [{ amount: 7 }],
		});
		expect((await reader.call("limits.list", undefined)).status).toBe(403);
		const tier = await reader.call("users.setTier", {
			userId: "ann",
			tier: "team",
			status: "active",
			expiresAt: null,
		});
		expect(tier.status).toBe(403);
		await reader.stop();
	});

	it("may have no rights, as if there were no extension", async () => {
		const nobody = await Dashboard.start(database.url("dashboard_nobody"));
		expect(await nobody.ask("session.get", undefined)).toMatchObject({
			role: "admin",
			installed: false,
			server: null,
		});
		expect((await nobody.call("limits.list", undefined)).status).toBe(412);
		await nobody.stop();
	});

	it("changes nothing with --read-only", async () => {
		const still = await Dashboard.start(database.url("dashboard_admin"), ["--read-only"]);
		const input = { userId: "ann", tier: "team", status: "active", expiresAt: null };
		expect((await still.call("users.setTier", input)).status).toBe(403);
		expect(await still.ask("session.get", undefined)).toMatchObject({
			server: { readOnly: true, can: { setLimits: false } },
		});
		await still.stop();
	});
});

describe("a database that is not there", () => {
	it("is an error without a word about where it should be", async () => {
		const lost = await Dashboard.start(`postgresql://who:${password}@127.0.0.1:1/lost_database`);
		const answer = await lost.call("limits.list", undefined);
		const text = await answer.text();
		expect(answer.status).toBe(503);
		expect(text).toContain("The database cannot be reached.");
		for (const secret of [password, "who", "127.0.0.1", "lost_database"]) expect(text).not.toContain(secret);
		expect(lost.output).not.toContain(password);
		await lost.stop();
	});

	it("is found again when it comes back, with another schema", async () => {
		const moved = await TestDatabase.create("dashboard_moved", "first");
		const url = moved.url(process.env.PGUSER ?? "postgres");
		const there = await Dashboard.start(url);
		expect(await there.ask("limits.list", undefined)).toEqual([]);
		await moved.rows(
			"DROP SCHEMA first CASCADE; CREATE SCHEMA second; CREATE EXTENSION usage_limits SCHEMA second",
		);
		expect((await there.call("limits.list", undefined)).status).toBe(500);
		expect(await there.ask("limits.list", undefined)).toEqual([]);
		await there.stop();
		await moved.close();
	});
});

describe("limits", () => {
	type Limit = {
		limitType: string;
		version: string;
		values: Record<string, number>;
		enforcement: string;
		isActive: boolean;
		description: string;
	};
	const find = async (name: string) =>
		(await open.ask<Limit[]>("limits.list", undefined)).find(({ limitType }) => limitType === name) as Limit;

	it("are not changed over somebody else's change", async () => {
		const seen = await find("exports_daily");
		await database.rows("SELECT usage_set_limit('exports_daily', 4, tier => 'free')");
		const input = { ...seen, values: { ...seen.values, pro: 30 } };
		expect((await open.call("limits.update", input)).status).toBe(409);
		const fresh = await find("exports_daily");
		expect(fresh.values).toEqual({ ...seen.values, free: 4 });
		expect(
			(await open.call("limits.update", { ...fresh, values: { ...fresh.values, pro: 30 } })).status,
		).toBe(200);
		expect((await find("exports_daily")).values).toEqual({ ...seen.values, free: 4, pro: 30 });
	});

	it("are changed as a whole or not at all", async () => {
		const seen = await find("prompts_daily");
		expect((await open.call("limits.update", { ...seen, values: { ...seen.values, free: -2 } })).status).toBe(
			400,
		);
		expect(
			(await open.call("limits.update", { ...seen, values: { ...seen.values, free: 1.5 } })).status,
		).toBe(400);
		expect((await open.call("limits.update", { ...seen, enforcement: "maybe" })).status).toBe(400);
		// the first change is good, the second is refused by the database
		const input = { ...seen, values: { ...seen.values, free: 1, pro: 2 ** 53 - 1 } };
		const answer = await open.call("limits.update", input);
		if (answer.status !== 200) expect((await find("prompts_daily")).version).toBe(seen.version);
	});

	it("tell when a setting hides the value", async () => {
		await database.rows("ALTER ROLE dashboard_admin SET usage_limits.overrides = 'web_agent_daily.free=9'");
		const warned = await Dashboard.start(database.url("dashboard_admin"));
		const seen = (await warned.ask<Limit[]>("limits.list", undefined)).find(
			({ limitType }) => limitType === "web_agent_daily",
		) as Limit;
		const { warnings } = await warned.ask<{ warnings: string[] }>("limits.update", {
			...seen,
			values: { ...seen.values, free: 6 },
		});
		expect(warnings.join()).toMatch(/setting/);
		await warned.stop();
		await database.rows("ALTER ROLE dashboard_admin RESET usage_limits.overrides");
	});
});

it("reads by index whatever grows with the users", async () => {
	const big = await TestDatabase.create("dashboard_big");
	await big.role("dashboard_big", "admin");
	// who still reads a whole table then has no index to use
	await big.rows("ALTER ROLE dashboard_big SET enable_seqscan = off");
	await big.rows(
		"SELECT usage_install_defaults(), usage_track('ann', 'prompt'), usage_set_tier('ann', 'pro')",
	);
	await big.rows("SELECT usage_maintain()");
	const there = await Dashboard.start(big.url("dashboard_big"));
	const scans = () =>
		big.rows<{ relname: string; seq_scan: number }>(
			`SELECT relname::text, seq_scan FROM pg_stat_user_tables
			 WHERE relname ~ '^(usage_(events|denials|config_log|limit_overrides|alert_log|members|holds)|user_|credit_)' AND seq_scan > 0`,
		);
	await big.resetStatistics();
	const analytics = /^overview\.(funnel|trends|topUsers|errorRates|findings)$/;
	for (const [procedure, input] of everything)
		if (!analytics.test(procedure)) expect((await there.call(procedure, input)).status, procedure).toBe(200);
	const { events } = await there.ask<{ events: { createdAt: string; id: string }[] }>("users.events", {
		userId: "ann",
		rows: 1,
	});
	await there.ask("users.events", { userId: "ann", rows: 1, cursor: events[0] });
	for (const [procedure, more] of [
		["limits"],
		["credits"],
		["history", { days: 30 }],
		["events", { rows: 10 }],
	] as const)
		await there.ask(`me.${procedure}`, { as: "ann", ...more });
	// a session tells what it has read when it ends
	await there.stop();
	expect(await scans()).toEqual([]);
	await big.close();
});

it("reads of 20,000 users no more than the page shows", async () => {
	const crowded = await TestDatabase.create("dashboard_crowded");
	await crowded.role("dashboard_crowded", "admin");
	await crowded.rows(`
		INSERT INTO user_subscriptions (user_id) SELECT 'user' || to_char(n, 'FM00000') FROM generate_series(1, 20000) n;
		INSERT INTO usage_counters (user_id, usage_type, bucket_start, event_subtype, slot, amount, first_at, last_at)
		SELECT s.user_id, 'prompt', '2026-03-01', '', 0, 1, '2026-03-01', '2026-03-01' FROM user_subscriptions s`);
	await crowded.rows("ANALYZE");
	const there = await Dashboard.start(crowded.url("dashboard_crowded"));
	await crowded.resetStatistics();
	type Page = { users: { userId: string }[]; next: string | null };
	const ask = (search: string, cursor: string | null) =>
		there.ask<Page>("users.list", { search, cursor, rows: 50 });
	const first = await ask("", null);
	const later = await ask("", "user15000");
	const found = await ask("user1234", null);
	await there.stop();
	expect([first, later, found].map(({ users, next }) => [users.length, users[0]?.userId, next])).toEqual([
		[50, "user00001", "user00050"],
		[50, "user15001", "user15050"],
		[10, "user12340", null],
	]);
	const { read } = await crowded.one<{ read: number }>(
		`SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)::bigint
			+ (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::bigint AS read`,
	);
	// for each user some rows of the subscriptions and the counters
	expect(read).toBeGreaterThan(100);
	expect(read).toBeLessThan(1000);
	await crowded.close();
});

it("never says where the database is", async () => {
	for (const each of [dashboard, open]) expect(each.output).not.toContain(password);
	for (const path of ["/", "/overview", "/me", "/theme.js"]) {
		const text = await (await fetch(open.origin + path)).text();
		expect(text).not.toContain(password);
		expect(text).not.toContain("dashboard_server");
	}
	const session = await (await open.call("session.get", undefined)).text();
	expect(session).not.toContain("dashboard_server");
	expect(session).not.toContain("odd");
});
