using System.Runtime.CompilerServices;
using Xunit;

namespace Proxy.Tests.Pacs;

/// <summary>Waits for a condition, or fails the test and names the condition.</summary>
public static class Until
{
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    public static Task TrueAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        TrueAsync(() => Task.FromResult(condition()), what);

    /// <summary>Deletes a folder although another task still writes into it.</summary>
    public static Task DeletedAsync(string folder) => TrueAsync(
        () =>
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (DirectoryNotFoundException)
            {
                return true;
            }
            catch (IOException)
            {
                return false;
            }
            return true;
        },
        $"{folder} is gone");

    public static async Task TrueAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience) Assert.Fail($"Timed out waiting for: {what}");
            await Task.Delay(Pause, TimeProvider.System);
        }
    }
}
