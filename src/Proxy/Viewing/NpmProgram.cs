using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Proxy.Viewing;

/// <summary>The command <c>npm</c> of this machine, which downloads packages from the registry that is configured for it.</summary>
/// <param name="Path">The path of the program.</param>
internal sealed record NpmProgram(string Path)
{
    /// <summary>Finds the program in the folders of a search path; null if none has it.</summary>
    /// <param name="searchPath">The value of <c>PATH</c>.</param>
    public static NpmProgram? Find(string? searchPath)
    {
        var name = OperatingSystem.IsWindows() ? "npm.cmd" : "npm";
        var path = (searchPath ?? "").Split(System.IO.Path.PathSeparator).Where(folder => folder.Length > 0)
            .Select(folder => System.IO.Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        return path is null ? null : new(path);
    }

    /// <summary>Runs a command that writes JSON, such as <c>pack</c> or <c>view</c>.</summary>
    /// <param name="folder">The working folder.</param>
    /// <param name="arguments">The command and its arguments. No script of a package is run.</param>
    /// <param name="cancellation">Ends the program.</param>
    public async Task<NpmAnswer> RunAsync(string folder, IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(Path)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in (string[])[.. arguments, "--json", "--ignore-scripts", "--no-update-notifier"])
            start.ArgumentList.Add(argument);
        Process npm;
        try
        {
            npm = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            return new(null, "ESTART", e.Message);
        }
        using (npm)
        {
            npm.StandardInput.Close();
            try
            {
                var output = npm.StandardOutput.ReadToEndAsync(cancellation);
                var errors = npm.StandardError.ReadToEndAsync(cancellation);
                await npm.WaitForExitAsync(cancellation);
                return NpmAnswer.Read(await output, await errors, npm.ExitCode);
            }
            catch (OperationCanceledException)
            {
                npm.Kill(entireProcessTree: true);
                throw;
            }
        }
    }
}

/// <summary>What npm answered.</summary>
/// <param name="Result">The result; null if npm failed.</param>
/// <param name="Code">The code of the error, such as <c>ENOTFOUND</c>; empty for an error without a code.</param>
/// <param name="Summary">The first line of the error.</param>
internal sealed record NpmAnswer(JsonElement? Result, string Code, string Summary)
{
    /// <summary>Reads the output of a program that has ended.</summary>
    public static NpmAnswer Read(string output, string errors, int exitCode)
    {
        var document = Parse(output);
        if (exitCode == 0) return document is null ? new(null, "EOUTPUT", "npm wrote no JSON") : new(document, "", "");
        if (document is { ValueKind: JsonValueKind.Object } failed && failed.TryGetProperty("error", out var error)
            && error.ValueKind == JsonValueKind.Object)
            return new(null, ReadText(error, "code"), GetFirstLine(ReadText(error, "summary")));
        return new(null, "", GetFirstLine(errors));
    }

    private static JsonElement? Parse(string output)
    {
        try
        {
            using var document = JsonDocument.Parse(output);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string ReadText(JsonElement from, string name) =>
        from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static string GetFirstLine(string text) => text.Trim().Split('\n')[0].Trim();
}
