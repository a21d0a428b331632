using System.Globalization;
using System.Text;
using Spectre.Console;

namespace Proxy.Cli;

/// <summary>Where a command writes: its result to the output; notes, questions and progress to the error output.</summary>
/// <param name="output">Receives the result.</param>
/// <param name="error">Receives everything else.</param>
internal sealed class Terminal(TextWriter output, TextWriter error)
{
    /// <summary>Wide enough that a row of a table in a file is one line.</summary>
    private const int FileColumns = 400;

    /// <summary>The longest word of a PACS in a table, in characters.</summary>
    private const int MaxCharacters = 80;

    /// <summary>Receives the result.</summary>
    public TextWriter Output { get; } = output;

    /// <summary>Receives everything else.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>Whether the output is a screen, and not a file or another program.</summary>
    public bool IsScreen { get; init; }

    /// <summary>Whether notes are shown on a screen: progress is drawn only there.</summary>
    public bool IsErrorScreen { get; init; }

    /// <summary>The answers of the user; null if there is no user.</summary>
    public TextReader? Input { get; init; }

    /// <summary>Whether the screen shows other characters than ASCII.</summary>
    public bool IsUnicode { get; init; } = true;

    /// <summary>The screen of this process.</summary>
    public static Terminal OfProcess() => new(Console.Out, Console.Error)
    {
        IsScreen = !Console.IsOutputRedirected,
        IsErrorScreen = !Console.IsErrorRedirected,
        Input = Console.IsInputRedirected ? null : Console.In,
        IsUnicode = OperatingSystem.IsWindows() ? Console.OutputEncoding is UTF8Encoding : IsUtf8Locale(),
    };

    /// <summary>Writes a line that is not part of the result.</summary>
    public void Note(string text) => Error.WriteLine(text);

    /// <summary>A console of Spectre on the output or on the error output.</summary>
    public IAnsiConsole CreateConsole(bool isForResult)
    {
        var isScreen = isForResult ? IsScreen : IsErrorScreen;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = isScreen ? AnsiSupport.Detect : AnsiSupport.No,
            Interactive = isScreen ? InteractionSupport.Detect : InteractionSupport.No,
            Out = new AnsiConsoleOutput(isForResult ? Output : Error),
        });
        console.Profile.Capabilities.Unicode = IsUnicode;
        if (!isScreen) console.Profile.Width = FileColumns;
        return console;
    }

    /// <summary>Writes a table to the output: with lines on a screen, and as columns of text elsewhere.</summary>
    /// <param name="columns">The headings.</param>
    /// <param name="rows">The cells of each row.</param>
    /// <param name="maxCharacters">Where a cell is cut.</param>
    public void WriteTable(
        IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows, int maxCharacters = MaxCharacters)
    {
        var table = new Table { Border = !IsScreen ? TableBorder.None : IsUnicode ? TableBorder.Rounded : TableBorder.Ascii };
        foreach (var column in columns)
        {
            var header = new TableColumn(new Text(column, new Style(decoration: Decoration.Bold)));
            table.AddColumn(IsScreen ? header : header.PadRight(2));
        }
        // Texts, never markup: "[red]" in the name of a patient is a name.
        foreach (var row in rows) table.AddRow(row.Select(cell => new Text(Clean(cell, maxCharacters))));
        CreateConsole(isForResult: true).Write(table);
    }

    /// <summary>
    /// A text of a PACS or of the network, as it may be shown: control characters, which would drive the terminal, and characters that
    /// reorder or hide text are replaced, and a long text is cut.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="maxCharacters">Where it is cut.</param>
    public static string Clean(string text, int maxCharacters = MaxCharacters)
    {
        var clean = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (clean.Length >= maxCharacters) return clean.Append("...").ToString();
            var isShown = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.Surrogate
                or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
            clean.Append(isShown ? rune.ToString() : "?");
        }
        return clean.ToString();
    }

    // The runtime writes UTF-8 in every locale; a terminal with another one would show it as noise.
    private static bool IsUtf8Locale()
    {
        var locale = ((string[])["LC_ALL", "LC_CTYPE", "LANG"]).Select(Environment.GetEnvironmentVariable)
            .FirstOrDefault(value => !string.IsNullOrEmpty(value)) ?? "";
        return locale.Contains("UTF-8", StringComparison.OrdinalIgnoreCase) || locale.Contains("utf8", StringComparison.OrdinalIgnoreCase);
    }
}
