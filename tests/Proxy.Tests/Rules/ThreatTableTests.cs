using System.Text.RegularExpressions;
using Xunit;

namespace Proxy.Tests.Rules;

/// <summary>The table in docs/security.md has a row for every threat, and every test that it names exists.</summary>
public sealed partial class ThreatTableTests
{
    private const int Threats = 30;

    /// <summary>Threats without a row. The list may only shrink.</summary>
    private static readonly string[] Open =
    [
    ];

    private static readonly List<(string Id, string Threat, string Rule, string Tests)> Rows =
    [
        .. Row().Matches(File.ReadAllText(SourceTree.GetPath("docs/security.md")))
            .Select(m => (m.Groups["id"].Value, m.Groups["threat"].Value, m.Groups["rule"].Value, m.Groups["tests"].Value)),
    ];

    [Fact]
    public void EveryThreatHasOneRow()
    {
        var all = Enumerable.Range(1, Threats).Select(number => $"T{number}").ToList();
        Assert.Equal(all.Except(Open), Rows.Select(row => row.Id));
    }

    /// <summary>A row names tests, or says in a sentence why the threat does not apply.</summary>
    [Fact]
    public void EveryNamedTestExists()
    {
        var files = SourceTree.EnumerateFiles("tests").ToLookup(file => Path.GetFileNameWithoutExtension(file).Split('.')[0]);
        var missing = new List<string>();
        foreach (var (id, _, _, tests) in Rows)
        {
            var names = TestName().Matches(tests);
            if (names.Count == 0 && !tests.TrimEnd().EndsWith('.')) missing.Add($"{id}: no test and no sentence");
            foreach (Match name in names)
            {
                var method = new Regex($@"\b(void|Task)\s+{name.Groups["method"].Value}\(");
                if (!files[name.Groups["type"].Value].Any(file => method.IsMatch(File.ReadAllText(SourceTree.GetPath(file)))))
                    missing.Add($"{id}: {name.Value}");
            }
        }
        Assert.Empty(missing);
    }

    [GeneratedRegex(@"^\| (?<id>T\d+) \| (?<threat>[^|]+) \| (?<rule>[^|]+) \| (?<tests>[^|]+) \|\r?$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"`(?<type>\w+)\.(?<method>\w+)`")]
    private static partial Regex TestName();
}
