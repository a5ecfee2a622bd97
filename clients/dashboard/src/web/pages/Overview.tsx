import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { TriangleAlert } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "../api";
import { Note, PageHead, Segmented, Switch } from "../components/basics";
import { AlertsCard } from "./overview/Alerts";
import { DenialsCard } from "./overview/Denials";
import { ErrorRatesCard } from "./overview/ErrorRates";
import { FunnelCards } from "./overview/Funnel";
import { TopUsersCard } from "./overview/TopUsers";
import { TrendsCard } from "./overview/Trends";

const route = getRouteApi("/admin/overview");

export type Days = 7 | 30 | 90 | 365;

const ranges = [
	{ value: 7, label: "7 days" },
	{ value: 30, label: "30 days" },
	{ value: 90, label: "90 days" },
	{ value: 365, label: "12 months" },
] as const;

export const rangeText = (days: Days): string =>
	days === 365 ? "the last 12 months" : `the last ${days} days`;

const liveEvery = 10_000;

export function OverviewPage() {
	const { days } = route.useSearch();
	const navigate = useNavigate();
	const [live, setLive] = useState(true);
	const refetchInterval = live ? liveEvery : false;
	useEffect(() => {
		document.title = "Overview · Usage limits";
	}, []);
	return (
		<>
			<PageHead
				title="Overview"
				note="How your application is used. Days are UTC and end today."
				actions={
					<>
						<Switch label="Live" checked={live} onChange={setLive} />
						<Segmented
							label="Range"
							value={days}
							options={ranges}
							onChange={(value: Days) => void navigate({ to: "/overview", search: { days: value } })}
						/>
					</>
				}
			/>
			<Findings />
			<FunnelCards days={days} refetchInterval={refetchInterval} />
			<TrendsCard days={days} refetchInterval={refetchInterval} />
			<div className="halves">
				<TopUsersCard days={days} refetchInterval={refetchInterval} />
				<ErrorRatesCard days={days} refetchInterval={refetchInterval} />
				<DenialsCard days={days} refetchInterval={refetchInterval} />
				<AlertsCard refetchInterval={refetchInterval} />
			</div>
		</>
	);
}

export interface Live {
	refetchInterval: number | false;
}

/** What usage_doctor finds wrong; its warnings are for the reader of the log, not for here. */
function Findings() {
	const { data = [] } = useQuery(api.overview.findings.queryOptions(undefined, { staleTime: 300_000 }));
	const errors = data.filter((finding) => finding.severity === "error");
	if (errors.length === 0) return null;
	return (
		<Note tone="bad" icon={TriangleAlert}>
			{errors.map((finding) => (
				<p key={finding.what}>
					{finding.what}. {finding.hint}
				</p>
			))}
		</Note>
	);
}
