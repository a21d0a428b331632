using System.CommandLine;

namespace Proxy.Cli;

/// <summary>What is wrong with a command line, in one line that says what to write instead.</summary>
internal static class Mistake
{
    private const string Usage = "\"proxy --help\" lists the commands, and --demo starts a demo; settings are written "
        + "--Backends:east:Address=http://127.0.0.1:8042/dicom-web";

    /// <summary>Describes the mistake: the first unknown word with what it may have been meant to be, or what the parser says.</summary>
    public static string Describe(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var below = command is RootCommand ? "" : $" of \"proxy {command.Name}\"";
        if (parsed.UnmatchedTokens is [var word, ..])
        {
            var kind = word.StartsWith('-') ? "an option" : command.Subcommands.Count > 0 ? "a command" : "an argument";
            return $"\"{Terminal.Clean(word)}\" is not {kind}{below}{Suggest(command, word)} ({Usage})";
        }
        if (command.Subcommands.Count > 0 && command.Action is null && parsed.Errors.Count == 1)
            return $"A command{below} is missing: {string.Join(", ", command.Subcommands.Select(c => c.Name))} ({Usage})";
        return Terminal.Clean(parsed.Errors[0].Message, MaxCharacters);
    }

    private const int MaxCharacters = 400;

    private static string Suggest(Command command, string word)
    {
        var known = command.Subcommands.Cast<Symbol>().Concat(command.Options).Concat(command.Parents.OfType<RootCommand>()
            .SelectMany(root => root.Options).Where(option => option.Recursive)).Select(symbol => symbol.Name);
        var meant = known.Select(name => (Name: name, Distance: GetDistance(word.TrimStart('-'), name.TrimStart('-'))))
            .Where(found => found.Distance <= 2).OrderBy(found => found.Distance).FirstOrDefault();
        return meant.Name is null ? "" : $"; did you mean \"{meant.Name}\"?";
    }

    /// <summary>The number of letters to insert, remove or replace to get from one word to the other (Levenshtein).</summary>
    private static int GetDistance(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (var i = 1; i <= from.Length; i++)
        {
            var corner = row[0];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
            {
                var above = row[j];
                var replaced = corner + (char.ToUpperInvariant(from[i - 1]) == char.ToUpperInvariant(to[j - 1]) ? 0 : 1);
                row[j] = Math.Min(Math.Min(row[j - 1], above) + 1, replaced);
                corner = above;
            }
        }

        return row[^1];
    }
}
