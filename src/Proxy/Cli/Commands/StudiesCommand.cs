using System.CommandLine;
using System.Text.Json.Nodes;

namespace Proxy.Cli.Commands;

/// <summary><c>studies</c>: the merged list of all PACS as a table.</summary>
internal static class StudiesCommand
{
    /// <summary>The columns, and the attributes that they show.</summary>
    private static readonly (string Name, string Tag)[] Columns =
    [
        ("date", "00080020"), ("patient", "00100010"), ("ID", "00100020"), ("accession", "00080050"), ("modalities", "00080061"),
        ("description", "00081030"), ("series", "00201206"), ("instances", "00201208"), ("study", "0020000D"),
    ];

    /// <summary>Creates the command.</summary>
    public static Command Create(Terminal terminal, Option<string> url, Option<bool> json)
    {
        var query = new Argument<string[]>("query")
        {
            Description = "A name, ID, accession number, UID, modality, time (today, yesterday, week, 2026, 20260131, "
                + "20260101-20260131) or Attribute=value; all must match",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var limit = new Option<int>("--limit") { Description = "The most studies", DefaultValueFactory = _ => 50 };
        var command = new Command("studies", "Searches all PACS through the running proxy") { query, limit };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var proxy = ProxyClient.Create(parsed, parsed.GetValue(url)!);
            var max = Math.Clamp(parsed.GetValue(limit), 1, 10_000);
            var list = await StudyList.AskAsync(proxy, parsed.GetValue(query) ?? [], max, cancellation);
            foreach (var warning in list.Warnings) terminal.Note(Terminal.Clean(warning, 300));
            var rows = new JsonArray([.. list.Rows.Select(row => row.DeepClone())]);
            if (parsed.GetValue(json)) terminal.Output.WriteLine(rows.ToJsonString(Json.Indented));
            else Write(terminal, list);
            return ExitCode.Success;
        });
        return command;
    }

    private static void Write(Terminal terminal, StudyList list)
    {
        var rows = list.Rows.Select(row => Columns.Select(column => StudyList.Read(row, column.Tag)).ToList());
        if (list.Rows.Count > 0) terminal.WriteTable([.. Columns.Select(column => column.Name)], rows);
        terminal.Note(list.Rows.Count == 1 ? "1 study." : $"{list.Rows.Count} studies.");
    }
}
