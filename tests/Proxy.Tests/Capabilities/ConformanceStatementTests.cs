using System.Text;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Backends;
using Proxy.Capabilities;
using Proxy.Tests.Rules;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Capabilities;

/// <summary>The conformance statement lists what the proxy does: its tables are those of the code and of the mapped routes.</summary>
public sealed class ConformanceStatementTests
{
    private static readonly string Statement = File.ReadAllText(SourceTree.GetPath("docs/conformance.md"));

    [Fact]
    public async Task TheTablesOfTheStatementAreThoseOfTheCode()
    {
        var expected = Replace(Statement, "transactions", RenderTransactions(CapabilityTable.All.Where(c => !c.IsForwarded)));
        expected = Replace(expected, "forwarded", RenderTransactions(CapabilityTable.All.Where(c => c.IsForwarded)));
        expected = Replace(expected, "keys", RenderKeys());
        if (expected == Statement) return;

        var file = Path.Combine(AppContext.BaseDirectory, "conformance.md");
        await File.WriteAllTextAsync(file, expected, TestContext.Current.CancellationToken);
        Assert.Fail($"docs/conformance.md is not up to date; the expected text is in {file}.");
    }

    [Fact]
    public async Task TheStatementNamesEveryRoute_AndNoOther()
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:1/dicom-web")) { ["Backends:east:Forward"] = "true" };
        await proxy.GetAsync("/health/live");
        var endpoints = proxy.Services.GetRequiredService<EndpointDataSource>().Endpoints;
        var backends = proxy.Services.GetRequiredService<BackendSet>();
        var stated = ReadRows("transactions").ToList();

        Assert.Equal(Sort(MappedRoutes.Read(endpoints, backends.AsOne)), stated.Order());
        Assert.Equal(
            Sort(MappedRoutes.Read(endpoints, new("east", backends.AsOne.Backends))), stated.Concat(ReadRows("forwarded")).Order());
    }

    /// <summary>Every status that a transaction may have is explained.</summary>
    [Fact]
    public void EveryStatusIsExplained()
    {
        var codes = CapabilityTable.All.SelectMany(c => c.Statuses).Distinct().Order();

        Assert.All(codes, code => Assert.Contains($"\n| {code} |", Statement, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Sort(IEnumerable<(string Method, string Path)> routes) =>
        routes.Where(r => r.Method != "HEAD").Select(r => $"{r.Method} /{r.Path}").Order();

    private static IEnumerable<string> ReadRows(string block) =>
        from line in ReadBlock(block).Split('\n').Skip(2)
        let cells = line.Split(" | ")
        where cells.Length > 2
        select $"{cells[0].TrimStart('|', ' ')} {cells[1].Trim('`')}";

    private static string ReadBlock(string name) => Statement[FindBlock(Statement, name)];

    private static string Replace(string statement, string block, string text)
    {
        var range = FindBlock(statement, block);
        return statement[..range.Start] + text + statement[range.End..];
    }

    private static Range FindBlock(string statement, string name)
    {
        var (start, end) = ($"<!-- {name} -->\n", $"<!-- end of {name} -->");
        var at = statement.IndexOf(start, StringComparison.Ordinal) + start.Length;
        return at..statement.IndexOf(end, StringComparison.Ordinal);
    }

    private static string RenderTransactions(IEnumerable<Capability> capabilities)
    {
        var text = new StringBuilder(
            "| method | resource | transaction | PS3.18 | media types | parameters | status |\n|---|---|---|---|---|---|---|\n");
        foreach (var c in capabilities)
        {
            var section = c.Section is { } number ? "§" + number : "extension";
            var types = c.Takes.IsEmpty ? List(c.Answers) : $"takes {List(c.Takes)}; answers {List(c.Answers)}";
            var statuses = c.Statuses.IsEmpty ? "of the PACS" : string.Join(", ", c.Statuses);
            text.Append("| ").AppendJoin(
                " | ", c.Method, $"`/{c.Path}`", c.Name, section, c.IsForwarded ? "of the PACS" : types,
                c.IsForwarded ? "passed on" : List(c.Parameters), statuses).Append(" |\n");
        }
        return text.ToString();
    }

    private static string RenderKeys()
    {
        var text = new StringBuilder("| search | keys |\n|---|---|\n");
        foreach (var c in CapabilityTable.All.Where(c => !c.Keys.IsEmpty)) text.Append($"| `/{c.Path}` | {string.Join(", ", c.Keys)} |\n");
        return text.ToString();
    }

    private static string List(IEnumerable<string> items) => string.Join(", ", items.Select(item => $"`{item}`"));
}
