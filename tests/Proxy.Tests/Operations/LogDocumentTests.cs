using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Logging;
using Proxy.Tests.Rules;
using Xunit;

namespace Proxy.Tests.Operations;

/// <summary><c>docs/logs.md</c> lists every message of the log, and no other.</summary>
public sealed class LogDocumentTests
{
    [Fact]
    public void ListsEveryMessage()
    {
        var documented = File.ReadLines(SourceTree.GetPath("docs/logs.md"))
            .Where(line => line.Length > 2 && char.IsAsciiDigit(line[2]))
            .Select(line => string.Join('|', line.Split('|').Skip(1).Take(4).Select(cell => cell.Trim())));

        Assert.Equal(GetMessages(), documented);
    }

    private static IEnumerable<string> GetMessages() =>
        from method in typeof(Proxy.Operations.Log).GetMethods(BindingFlags.Static | BindingFlags.Public)
        let message = method.GetCustomAttribute<LoggerMessageAttribute>()
        where message is not null
        orderby message.EventId
        select string.Create(CultureInfo.InvariantCulture, $"{message.EventId}|{method.Name}|{message.Level}|{message.Message}");
}
