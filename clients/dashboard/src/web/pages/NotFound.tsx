import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { Empty } from "../components/basics";

export function NotFoundPage() {
	return (
		<main className="lone">
			<div className="lone-card">
				<Empty icon={Compass} title="There is no such page">
					<Link to="/overview" search={{ days: 30 }}>
						Go to the overview
					</Link>
				</Empty>
			</div>
		</main>
	);
}
