/** The overview on a server that does not preload the library: PLAIN_PGPORT has one. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { card, cells, database, numberOf, onSite, open, signIn } from "./browser";

const { PGPORT, PLAIN_PGPORT } = process.env;

// before everything else, as the hooks run in the order in which they are written
beforeAll(() => {
	expect(PLAIN_PGPORT).toBeDefined();
	process.env.PGPORT = PLAIN_PGPORT;
});
onSite("dashboard_plain");
afterAll(() => {
	process.env.PGPORT = PGPORT;
});

it("says that denials are not counted, and why", async () => {
	await signIn();
	await open("/overview?days=30");
	const denials = card("Denials");
	await denials.getByText("Denials are not counted").waitFor();
	await denials.getByText("shared_preload_libraries = 'usage_limits'").waitFor();
	// what the demo was denied has left no row
	expect(await database.rows("SELECT 1 FROM usage_denials")).toEqual([]);
});

it("shows those of the time when they were, and says that there are no more", async () => {
	await database.rows(
		"INSERT INTO usage_denials (user_id, limit_type, usage_date, count) VALUES ('mia', 'exports_daily', '2026-03-12', 4)",
	);
	await open("/overview?days=7");
	const denials = card("Denials");
	await expect
		.poll(
			async () => (await cells(denials.locator("table"))).map(([limit, , n]) => [limit, numberOf(n ?? "")]),
			{
				timeout: 25_000,
			},
		)
		.toEqual([["exports_daily", 4]]);
	await denials.getByText("Denials are not counted any more").waitFor();
});
