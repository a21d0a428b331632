using System.CommandLine;
using Proxy.Security;

namespace Proxy.Cli;

/// <summary>The options that all commands share.</summary>
internal static class CommonOptions
{
    /// <summary>The address of the proxy. The environment variable <c>PROXY_URL</c> is its default.</summary>
    public static Option<string> CreateUrl()
    {
        var option = new Option<string>("--url")
        {
            Description = "The address of the running proxy, or PROXY_URL",
            HelpName = "address",
            Recursive = true,
            DefaultValueFactory = _ =>
                Environment.GetEnvironmentVariable("PROXY_URL") is { Length: > 0 } url ? url : ListenAddresses.DefaultUrl,
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not { } text || !IsAddress(text))
                result.AddError("--url: an http or https address without a path, such as http://127.0.0.1:8080");
        });
        return option;
    }

    /// <summary>The name of the option that names a file with the user's bearer token.</summary>
    public const string TokenFile = "--token-file";

    /// <summary>A file with the user's bearer token. The environment variable <c>PROXY_TOKEN</c> contains a token in its place.</summary>
    public static Option<string> CreateTokenFile() => new(TokenFile)
    {
        Description = "A file with your bearer token, if the proxy authenticates users; or the token itself in PROXY_TOKEN",
        HelpName = "file",
        Recursive = true,
    };

    /// <summary>Whether the result is written as JSON.</summary>
    public static Option<bool> CreateJson() => new("--json")
    {
        Description = "Writes the result as JSON to the standard output, everything else to the error output",
        Recursive = true,
    };

    private static bool IsAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri is { Scheme: "http" or "https", Query: "", Fragment: "", UserInfo: "" };
}
