using System.Globalization;
using Proxy.Admin.Testing;

namespace Proxy.Cli;

/// <summary>The reports of tests as text: a table with a row per backend, then each problem with its remedy.</summary>
internal static class TestTable
{
    private static readonly string[] Columns =
        ["PACS", "product", "reachable", "authentication", "searches", "metadata", "frames", "page cap", "latency", "rate"];

    /// <summary>Writes the table and the problems.</summary>
    public static void Write(Terminal terminal, IReadOnlyList<TestReport> reports)
    {
        terminal.WriteTable(Columns, reports.Select(CreateRow));
        foreach (var report in reports)
        {
            foreach (var check in report.Checks.Where(check => check.Outcome is Outcome.Failed or Outcome.Warning))
            {
                var kind = check.Outcome == Outcome.Failed ? "failed" : "warning";
                terminal.Output.WriteLine($"{report.Backend}: {check.Name} {kind}: {Terminal.Clean(check.Detail, MaxCharacters)}");
                if (check.Remedy is { } remedy) terminal.Output.WriteLine($"    remedy: {Terminal.Clean(remedy, MaxCharacters)}");
            }
        }
    }

    /// <summary>Writes every finding of one backend.</summary>
    public static void WriteDetails(Terminal terminal, TestReport report)
    {
        terminal.Output.WriteLine();
        terminal.WriteTable(
            [report.Backend, "outcome", "detail"],
            report.Checks.Select(check => (IReadOnlyList<string>)[check.Name, Show(check.Outcome), check.Detail]),
            MaxCharacters);
    }

    private const int MaxCharacters = 300;

    private static IReadOnlyList<string> CreateRow(TestReport report)
    {
        // A backend without a DICOMweb root answers no searches.
        var searches = report.Get(Finding.Root).Outcome == Outcome.Failed ? Outcome.Failed : report.Get(Finding.Searches).Outcome;
        return
        [
            report.Backend, report.Product ?? "-", Show(Finding.Reachable), Show(Finding.Authentication), TestTable.Show(searches),
            Show(Finding.Metadata), Show(Finding.Frames),
            report.PageCap is { } cap ? cap.ToString(CultureInfo.InvariantCulture)
                : report.Get(Finding.PageCap).Outcome == Outcome.Ok ? "none seen" : "-",
            report.LatencyMs is { } latency ? string.Create(CultureInfo.InvariantCulture, $"{latency:0.#} ms") : "-",
            report.BytesPerSecond is { } rate ? string.Create(CultureInfo.InvariantCulture, $"{rate / 1e6:0.#} MB/s") : "-",
        ];

        string Show(string name) => TestTable.Show(report.Get(name).Outcome);
    }

    private static string Show(Outcome outcome) => outcome switch
    {
        Outcome.Ok => "ok",
        Outcome.Warning => "warning",
        Outcome.Failed => "FAILED",
        _ => "-",
    };
}
